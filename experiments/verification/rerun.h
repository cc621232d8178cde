#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/base/task_engine.h"

namespace kshot {

/// What came of testing a record's weights again.
struct Rerun {
  enum class Outcome { same, differs, impossible, stopped };
  Outcome outcome = Outcome::impossible;
  std::vector<std::string> details = {};  ///< what differs, or why it could not be done
};

/// Tests the checkpoint of a record on the record's tasks and compares figures and lines, digit for
/// digit. Impossible without a checkpoint, the data or the kind of device, and where this program
/// no longer understands the spec. Other sources or another processor may give other digits: then
/// the details say so.
Rerun rerun_record(const std::filesystem::path& folder, TaskEngine& engine, bool quiet);

/// "same", "differs", "not rerun", "stopped".
const char* outcome_text(Rerun::Outcome outcome);

}  // namespace kshot
