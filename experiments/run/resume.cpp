#include "experiments/run/resume.h"

#include <optional>

#include "experiments/flat_spec.h"
#include "experiments/records/records.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::string shown(const FlatSpec& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "absent" : found->second;
}

void compare(std::vector<std::string>& found, const std::string& what, const std::string& there,
             const std::string& here) {
  if (there != here) found.push_back(fmt::format("{} is {} there, {} here", what, there, here));
}

/// What a run is made with beside its spec.
std::vector<std::string> other_differences(const RunFolder& other, const Experiment& experiment) {
  constexpr size_t kDigits = 12;
  std::vector<std::string> found;
  const Json there = other.env(), here = environment(experiment.identity(), 1);
  for (const auto& [key, what] :
       {std::pair{"source_id", "the hash of kshot's sources"}, std::pair{"libtorch", "LibTorch"},
        std::pair{"device", "the device"}, std::pair{"dtype", "dtype"}}) {
    compare(found, what, there.value(key, "").substr(0, kDigits),
            here.value(key, "").substr(0, kDigits));
  }
  const auto hashes = [](const Json& env) {
    std::vector<std::string> parts;
    for (const Json& hash : env.value("data_sha256", Json::array()))
      parts.push_back(hash.get<std::string>().substr(0, kDigits));
    return fmt::format("{}", fmt::join(parts, " "));
  };
  compare(found, "the data's sha256", hashes(there), hashes(here));
  return found;
}

std::vector<RunFolder> unfinished_runs(const fs::path& folder) {
  std::vector<RunFolder> runs;
  if (!fs::is_directory(folder)) return runs;
  for (const fs::path& path : find_run_folders({folder}).unfinished) runs.emplace_back(path);
  return runs;
}

/// The unfinished run of that name that differs least, with its differences.
struct Nearest {
  RunFolder folder;
  std::vector<std::string> differences;
};
std::optional<Nearest> nearest_run(const std::vector<RunFolder>& runs,
                                   const Experiment& experiment) {
  std::optional<Nearest> nearest;
  for (const RunFolder& run : runs) {
    auto differences = differences_from(run, experiment);
    if (!nearest || differences.size() < nearest->differences.size())
      nearest = Nearest{run, std::move(differences)};
  }
  return nearest;
}

[[noreturn]] void refuse(const RunFolder& other, std::vector<std::string> differences) {
  constexpr size_t kMost = 5;
  if (differences.empty()) differences = {"its training data differ"};
  const size_t all = differences.size();
  if (all > kMost) {
    differences.resize(kMost);
    differences.push_back(fmt::format("and {} more", all - kMost));
  }
  throw Error(Exit::bad_spec, "--resume: the unfinished run {} is not of this spec: {}",
              other.path().string(), fmt::join(differences, "; "));
}

}  // namespace

std::vector<std::string> differences_from(const RunFolder& other, const Experiment& experiment) {
  const FlatSpec there = flat_spec(other.spec()), here = flat_spec(experiment.resolved);
  std::vector<std::string> found;
  for (const std::string& key : differing_keys({there, here}))
    compare(found, key, shown(there, key), shown(here, key));
  return found.empty() ? other_differences(other, experiment) : found;
}

void check_resumable(const RunFolder& folder, const Experiment& experiment,
                     const std::string& named) {
  std::error_code error;
  if (!named.empty() && !fs::equivalent(named, folder.path(), error)) {
    const RunFolder other(named);
    if (!other.started()) throw Error(Exit::bad_spec, "--resume {}: not a run's folder", named);
    refuse(other, differences_from(other, experiment));
  }
  if (folder.started()) return;
  const auto nearest = nearest_run(unfinished_runs(folder.path().parent_path()), experiment);
  if (nearest) refuse(nearest->folder, nearest->differences);
  throw Error(Exit::bad_spec, "--resume: there is no unfinished run at {}", folder.path().string());
}

}  // namespace kshot
