#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/records/recorded_run.h"

namespace kshot {

/// Folders of runs, finished or not, at or below a folder, in order of their paths. A run's own
/// `evaluations/` are passed over unless such a folder is given itself.
std::vector<std::filesystem::path> run_folders_below(const std::filesystem::path& folder);

/// Folders of runs at or below some folders, each once.
struct RunFolders {
  std::vector<std::filesystem::path> finished;
  std::vector<std::filesystem::path> unfinished;  ///< stopped before the end, or still computing
};

/// Throws Error(bad_spec) for a folder that does not exist.
RunFolders find_run_folders(const std::vector<std::filesystem::path>& folders);

/// Finished runs found on disk.
struct Records {
  std::vector<RecordedRun> runs;      ///< by name, seed and id
  std::vector<std::string> warnings;  ///< one line for each record that was refused
  int64_t duplicates = 0;             ///< records of a run id that was there already
  std::vector<std::filesystem::path> unfinished = {};
};

/// Reads every finished run at or below the folders. The same run id on the same tasks counts once.
/// A record that cannot be read, or whose episode lines do not give its figures, is left out with a
/// warning. Throws Error(bad_spec) for a folder that does not exist.
Records read_records(const std::vector<std::filesystem::path>& folders);

}  // namespace kshot
