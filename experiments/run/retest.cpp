#include "experiments/run/retest.h"

#include <set>

#include "experiments/records/episode_lines.h"
#include "experiments/records/recorded_run.h"
#include "framework/base/device.h"
#include "framework/base/progress.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

/// What a test says, as the record has it.
Json figures_of(const Json& record) {
  return {{"test", record.value("test", Json())},
          {"parameters", record.value("parameters", Json())}};
}

std::vector<std::string> figure_differences(const Json& record, const Json& again) {
  const Json then = figures_of(record).flatten(), now = figures_of(again).flatten();
  std::set<std::string> paths;
  for (const Json& side : {then, now}) {
    for (const auto& [path, value] : side.items()) paths.insert(path);
  }
  std::vector<std::string> lines;
  for (const std::string& path : paths) {
    const Json a = then.value(path, Json()), b = now.value(path, Json());
    if (a != b)
      lines.push_back(
          fmt::format("{}: {} in the record, {} now", path.substr(1), a.dump(), b.dump()));
  }
  return lines;
}

/// "predictions, loss": the fields of an episode's line that are not the same.
std::string fields_that_differ(const EpisodeOutcome& then, const EpisodeOutcome& now) {
  const Json a = outcome_to_json(then), b = outcome_to_json(now);
  std::vector<std::string> fields;
  for (const auto& [key, value] : a.items()) {
    if (b.value(key, Json()) != value) fields.push_back(key);
  }
  return fmt::format("{}", fmt::join(fields, ", "));
}

/// One sentence on all lines; empty where they are the same.
std::string line_differences(const std::vector<EpisodeOutcome>& then,
                             const std::vector<EpisodeOutcome>& now) {
  if (then.size() != now.size())
    return fmt::format("episodes.jsonl: {} lines in the record, {} now", then.size(), now.size());
  size_t differing = 0;
  std::string first;
  for (size_t i = 0; i < then.size(); ++i) {
    const std::string fields = fields_that_differ(then[i], now[i]);
    if (fields.empty()) continue;
    if (++differing == 1) first = fmt::format("line {}: {}", i + 1, fields);
  }
  if (differing == 0) return "";
  return fmt::format("episodes.jsonl: {} of {} lines, the first is {}", differing, then.size(),
                     first);
}

}  // namespace

std::optional<Evaluation> test_again(const ReopenedRun& run, TaskEngine& engine, bool quiet) {
  const HeldOutTasks& test = run.experiment.spec.episodes.test;
  Progress progress("test", test.count, quiet);
  return evaluate(engine, *run.experiment.algorithm, run.models, *run.experiment.test,
                  {.count = test.count,
                   .seed = test.seed,
                   .progress = [&](int64_t done) { progress.update(done); }},
                  run.experiment.compute);
}

std::vector<std::string> differences_from_record(const ReopenedRun& run, const Evaluation& now) {
  std::vector<std::string> differing =
      figure_differences(run.record, record_of(run.experiment, now, run.models[0]));
  const std::string lines = line_differences(read_episode_lines(run.folder.path()), now.episodes);
  if (!lines.empty()) differing.push_back(lines);
  return differing;
}

std::string other_circumstances(const ReopenedRun& run) {
  std::vector<std::string> others;
  const auto compare = [&](const char* what, const std::string& then, const std::string& now) {
    if (then != now)
      others.push_back(fmt::format("the record was made by other {}: {}, now {}", what, then, now));
  };
  const Json env = run.folder.env();
  compare("sources", run.record.at("run").value("source_id", "").substr(0, 12),
          build_info().source_id.substr(0, 12));
  if (!env.empty()) {
    const torch::Device device = run.experiment.compute.device;
    compare("device", env.value("device", ""), device_kind(device));
    compare("processor", env.value(device.is_cuda() ? "gpu" : "cpu", ""), device_model(device));
  }
  return others.empty() ? "" : fmt::format(" ({})", fmt::join(others, "; "));
}

}  // namespace kshot
