#include "experiments/records/recorded_run.h"

#include <algorithm>
#include <functional>

#include "experiments/records/derived_figures.h"
#include "experiments/records/episode_lines.h"
#include "experiments/records/run_folder.h"
#include "framework/base/error.h"
#include "framework/run/score.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// The test classes of the data set with this hash.
std::vector<TaskClass> classes_in(const Json& data, const std::string& sha256) {
  if (data.value("sha256", "") != sha256) {
    throw Error(Exit::bad_data, "data.json is of another data set than result.json");
  }
  std::vector<TaskClass> classes;
  for (const Json& item : data.at("test_classes")) {
    classes.push_back({item.at("name").get<std::string>(), item.at("source").get<int64_t>()});
  }
  return classes;
}

RecordedRun statements_of(const fs::path& folder) {
  RecordedRun run;
  const RunFolder files(folder);
  run.folder = folder;
  run.result = files.result();
  run.spec = files.spec();
  run.env = files.env();
  run.data = files.read("data.json");
  const Json& block = run.result.at("run");
  run.id = block.at("id");
  run.name = block.at("name");
  run.seed = block.at("seed");
  run.tasks = definition_of(run.result);
  data_hashes(run);  // throws where they are malformed
  return run;
}

RecordedRun with_figures(RecordedRun run) {
  const std::vector<TaskClass> classes = classes_in(run.data, run.tasks.data_sha256);
  const Evaluation evaluation =
      derive_figures(run.tasks, run.result.at("test"), read_episode_lines(run.folder), classes);
  run.scores = score_values(evaluation);
  run.sources = source_lists(evaluation.episodes, classes);
  run.score = score_summary(evaluation);
  run.ci95_classes = evaluation.ci95_classes;
  return run;
}

/// Reading a record; what goes wrong is told with its folder.
RecordedRun guarded(const fs::path& folder, const std::function<RecordedRun()>& read) {
  try {
    return read();
  } catch (const Json::exception& problem) {
    throw Error(Exit::bad_data, "{}: not a record: {}", folder.string(), problem.what());
  } catch (const Error& problem) {
    const std::string message = problem.what();
    if (message.starts_with(folder.string())) throw;
    throw Error(problem.code(), "{}: {}", folder.string(), message);
  }
}

}  // namespace

std::string RecordedRun::label() const { return fmt::format("{} ({}, seed {})", name, id, seed); }

std::optional<std::vector<std::string>> data_hashes(const RecordedRun& run) {
  if (run.env.contains("data_sha256")) {
    auto hashes = run.env["data_sha256"].get<std::vector<std::string>>();
    if (hashes.size() == 3) return hashes;
    throw Error(Exit::bad_data, "env.json has {} data_sha256, expected 3", hashes.size());
  }
  const Json episodes = run.spec.value("episodes", Json::object());
  const bool several = std::any_of(episodes.begin(), episodes.end(),
                                   [](const Json& split) { return split.contains("dataset"); });
  if (several) return std::nullopt;
  const std::string trained = run.spec.contains("train") ? run.tasks.data_sha256 : "";
  return std::vector{trained, trained, run.tasks.data_sha256};
}

bool is_recorded_run(const fs::path& folder) { return fs::is_regular_file(folder / "result.json"); }

RecordedRun read_statements(const fs::path& folder) {
  return guarded(folder, [&] { return statements_of(folder); });
}

RecordedRun read_recorded_run(const fs::path& folder) {
  return guarded(folder, [&] { return with_figures(statements_of(folder)); });
}

}  // namespace kshot
