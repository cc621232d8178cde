#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/verification/record_check.h"
#include "experiments/verification/rerun.h"
#include "framework/base/fields.h"

namespace kshot {

/// A record that was looked at, and perhaps tested again.
struct VerifiedRecord {
  RecordFindings findings;
  std::optional<Rerun> rerun = {};

  /// Its parts agree, and no rerun gave other figures.
  bool stands() const;
};

/// Checks every record; with an engine, tests the weights of the consistent ones again, until a
/// stop signal comes. Shows progress unless `quiet`.
std::vector<VerifiedRecord> verify_records(const std::vector<std::filesystem::path>& folders,
                                           TaskEngine* engine, bool quiet);

std::string verification_text(const std::vector<VerifiedRecord>& records);
Json verification_json(const std::vector<VerifiedRecord>& records);

}  // namespace kshot
