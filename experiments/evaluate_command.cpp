// kshot evaluate: tests the weights of a finished run again, as the record says or otherwise.
#include "experiments/commands.h"
#include "experiments/reopened_run.h"
#include "experiments/test_summary.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/build_info.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

/// What a test says, as the record has it.
Json figures_of(const Json& record) {
  return {{"test", record.value("test", Json())},
          {"parameters", record.value("parameters", Json())}};
}

/// Paths of the figures that are not the same to the last digit, with both values.
std::vector<std::string> differences(const Json& record, const Json& again) {
  const Json then = figures_of(record).flatten(), now = figures_of(again).flatten();
  std::vector<std::string> paths, lines;
  for (const Json& side : {then, now}) {
    for (const auto& [path, value] : side.items()) {
      if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
    }
  }
  for (const std::string& path : paths) {
    const Json a = then.value(path, Json()), b = now.value(path, Json());
    if (a != b)
      lines.push_back(
          fmt::format("{}: {} in the record, {} now", path.substr(1), a.dump(), b.dump()));
  }
  return lines;
}

/// The lines of all episodes too, where the record has them as plain text.
void compare_episodes(const RunFolder& folder, const std::string& lines,
                      std::vector<std::string>& differing) {
  const auto path = folder.file("episodes.jsonl");
  if (std::filesystem::exists(path) && read_file(path) != lines) {
    differing.emplace_back("episodes.jsonl: predictions, accuracies or losses of single episodes");
  }
}

Json record_of_evaluation(const ReopenedRun& run, const Evaluation& evaluation) {
  Json record = record_of(run.experiment, evaluation, run.models[0]);
  record["evaluation"] = {{"of", run.record.at("run").at("id")}, {"checkpoint", "best"}};
  // What training said is of the weights, which are the same.
  if (run.record.contains("train")) record["train"] = run.record["train"];
  return record;
}

/// A record like a run's, without checkpoints: it can be verified and compared as one.
RunFolder write_evaluation(const ReopenedRun& run, const Json& record, const std::string& lines,
                           int threads) {
  const RunFolder folder(run.folder.file("evaluations") / run.experiment.id);
  folder.begin(run.experiment, threads);
  write_file_atomically(folder.file("episodes.jsonl"), lines);
  folder.write("result.json", record);
  return folder;
}

std::string other_program(const Json& record) {
  const std::string then = record.at("run").value("source_id", ""), now = build_info().source_id;
  if (then == now) return "";
  return fmt::format(" (the record was made by other sources: {}, now {})", then.substr(0, 12),
                     now.substr(0, 12));
}

/// Says in words whether the figures came out again. Returns the exit code.
int tell_sameness(const Json& record, const std::vector<std::string>& differing) {
  if (differing.empty()) {
    fmt::print("the same figures as the record, digit for digit\n");
    return 0;
  }
  fmt::print("not the figures of the record{}:\n", other_program(record));
  for (const std::string& line : differing) fmt::print("  {}\n", line);
  return static_cast<int>(Exit::bad_data);
}

int run(const Arguments& arguments) {
  const ReopenedRun run = reopen_run(run_path(arguments, evaluate_command().usage),
                                     edits_of(arguments), device_of(arguments));
  const HeldOutTasks& test = run.experiment.spec.episodes.test;
  catch_stop_signals();
  TaskEngine engine(threads_of(arguments));
  Progress progress("test", test.count, flag(arguments, "quiet"));
  const auto evaluation =
      evaluate(engine, *run.experiment.algorithm, run.models, *run.experiment.test,
               {.count = test.count,
                .seed = test.seed,
                .progress = [&](int64_t done) { progress.update(done); }},
               run.experiment.compute);
  if (!evaluation) throw Error(Exit::stopped, "stopped by a signal; nothing was written");

  const std::string lines = outcomes_text(evaluation->episodes);
  const Json record = record_of_evaluation(run, *evaluation);
  std::vector<std::string> differing;
  if (!run.changed) {
    differing = differences(run.record, record);
    compare_episodes(run.folder, lines, differing);
  }
  const RunFolder folder = write_evaluation(run, record, lines, engine.threads());
  if (flag(arguments, "json")) {
    Json json{{"folder", folder.path().string()}, {"result", record}};
    if (!run.changed) json["same_as_record"] = differing.empty();
    if (!differing.empty()) json["differences"] = differing;
    fmt::print("{}\n", json.dump(1));
    return differing.empty() ? 0 : static_cast<int>(Exit::bad_data);
  }
  fmt::print("{}\n{}\n", test_summary(run.experiment, *evaluation), folder.path().string());
  return run.changed ? 0 : tell_sameness(run.record, differing);
}

}  // namespace

Command evaluate_command() {
  Command command;
  command.name = "evaluate";
  command.summary = "test a finished run's weights again, as recorded or otherwise";
  command.usage = "evaluate RUN [--set episodes.test.count=N]... [options]";
  command.details =
      "RUN is a run folder (results/NAME/ID). Without changes the figures of the record must come "
      "out\n"
      "again, digit for digit; where they do not, the exit code is 65. Keys under episodes.test "
      "may be\n"
      "changed; dataset.path says where the pack lies now. Writes RUN/evaluations/ID/.\n\n"
      "  kshot evaluate results/demo --set episodes.test.shot=5";
  command.positional = {"run"};
  add_compute_options(command.options);
  add_json_option(command.options);
  command.run = run;
  return command;
}

}  // namespace kshot
