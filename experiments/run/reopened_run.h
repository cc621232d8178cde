#pragma once

#include <string>
#include <vector>

#include "experiments/command_line.h"
#include "experiments/records/run_folder.h"

namespace kshot {

/// A finished run brought back to life: its experiment opened again, its chosen weights read.
struct ReopenedRun {
  RunFolder folder;
  Json record = {};                    ///< result.json
  Experiment experiment = {};          ///< of the stored spec with the edits applied
  std::vector<ParamList> models = {};  ///< checkpoints/best, or the ensemble's; on its device
  bool changed = false;                ///< the edits ask for another test than the record's
};

/// RUN of a command line: a folder, or what lies under --results by that name.
std::string run_path(const Arguments& arguments, const std::string& usage);
/// --device where it was given, else empty.
std::string device_of(const Arguments& arguments);

/// `device` as find_device() knows it, or empty for the kind that the run was made on where that is
/// at hand. The edits may change the test ("episodes.test.*") and say where a pack lies now
/// ("dataset.path").
/// Throws Error(bad_spec) for other edits and for a run that is unfinished or has no checkpoint,
/// Error(io) for a pack that is not where the spec says, Error(bad_data) for a pack with other
/// content.
ReopenedRun reopen_run(const std::string& path, const std::vector<SpecEdit>& edits,
                       const std::string& device);

}  // namespace kshot
