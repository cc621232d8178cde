#include "experiments/records/records.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "experiments/records/run_folder.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// Half-made folders of `kshot run --again`, and what is no run at all.
bool passed_over(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return name == "evaluations" || name == "checkpoints" || name.ends_with(".again") ||
         name.ends_with(".old");
}

void find_runs(const fs::path& folder, std::vector<fs::path>& found) {
  if (is_recorded_run(folder) || RunFolder(folder).started()) {
    found.push_back(folder);
    return;
  }
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !passed_over(entry.path())) inside.push_back(entry.path());
  }
  std::sort(inside.begin(), inside.end());
  for (const fs::path& next : inside) find_runs(next, found);
}

/// Without the folders that are the same as one before.
std::vector<fs::path> each_once(const std::vector<fs::path>& folders) {
  std::set<fs::path> met;
  std::vector<fs::path> once;
  for (const fs::path& folder : folders) {
    if (met.insert(fs::weakly_canonical(folder)).second) once.push_back(folder);
  }
  return once;
}

auto order_of(const RecordedRun& run) { return std::tie(run.name, run.seed, run.id); }

}  // namespace

std::vector<fs::path> run_folders_below(const fs::path& folder) {
  std::vector<fs::path> found;
  find_runs(folder, found);
  return found;
}

RunFolders find_run_folders(const std::vector<fs::path>& folders) {
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder))
      throw Error(Exit::bad_spec, "{}: no such folder", folder.string());
    find_runs(folder, found);
  }
  RunFolders runs;
  for (const fs::path& folder : each_once(found))
    (is_recorded_run(folder) ? runs.finished : runs.unfinished).push_back(folder);
  return runs;
}

Records read_records(const std::vector<fs::path>& folders) {
  const RunFolders found = find_run_folders(folders);
  Records records;
  records.unfinished = found.unfinished;
  std::map<std::pair<std::string, TaskDefinition>, size_t> known;
  for (const fs::path& folder : found.finished) {
    try {
      RecordedRun run = read_recorded_run(folder);
      const auto [place, fresh] = known.try_emplace({run.id, run.tasks}, records.runs.size());
      if (fresh) {
        records.runs.push_back(std::move(run));
        continue;
      }
      ++records.duplicates;
      const RecordedRun& first = records.runs[place->second];
      if (first.scores != run.scores) {
        records.warnings.push_back(fmt::format("{}: same run id as {}, but other figures; left out",
                                               folder.string(), first.folder.string()));
      }
    } catch (const Error& problem) {
      records.warnings.push_back(fmt::format("{}; left out", problem.what()));
    }
  }
  std::sort(records.runs.begin(), records.runs.end(),
            [](const RecordedRun& a, const RecordedRun& b) { return order_of(a) < order_of(b); });
  return records;
}

}  // namespace kshot
