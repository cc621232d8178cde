// kshot evaluate: tests the weights of a finished run again, as the record says or otherwise.
#include "experiments/commands.h"
#include "experiments/records/test_summary.h"
#include "experiments/run/retest.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

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

/// Says in words whether the figures came out again. Returns the exit code.
int tell_sameness(const ReopenedRun& run, const std::vector<std::string>& differing) {
  if (differing.empty()) {
    fmt::print("the same figures as the record, digit for digit\n");
    return 0;
  }
  fmt::print("not the figures of the record{}:\n", other_circumstances(run));
  for (const std::string& line : differing) fmt::print("  {}\n", line);
  return static_cast<int>(Exit::bad_data);
}

int run_evaluate(const Arguments& arguments) {
  const ReopenedRun run = reopen_run(run_path(arguments, evaluate_command().usage),
                                     edits_of(arguments), device_of(arguments));
  catch_stop_signals();
  TaskEngine engine(threads_of(arguments));
  const auto evaluation = test_again(run, engine, flag(arguments, "quiet"));
  if (!evaluation) throw Error(Exit::stopped, "stopped by a signal; nothing was written");

  const std::string lines = outcomes_text(evaluation->episodes);
  const Json record = record_of_evaluation(run, *evaluation);
  std::vector<std::string> differing;
  if (!run.changed) differing = differences_from_record(run, *evaluation);
  const RunFolder folder = write_evaluation(run, record, lines, engine.threads());
  if (flag(arguments, "json")) {
    Json json{{"folder", folder.path().string()}, {"result", record}};
    if (!run.changed) json["same_as_record"] = differing.empty();
    if (!differing.empty()) json["differences"] = differing;
    fmt::print("{}\n", json.dump(1));
    return differing.empty() ? 0 : static_cast<int>(Exit::bad_data);
  }
  fmt::print("{}\n{}\n", test_summary(run.experiment, *evaluation), folder.path().string());
  return run.changed ? 0 : tell_sameness(run, differing);
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
  command.run = run_evaluate;
  return command;
}

}  // namespace kshot
