// kshot compare: one paired comparison, in words and numbers.
#include "experiments/commands.h"
#include "experiments/leaderboard.h"
#include "experiments/run_folder.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

/// A finished, verified run by its folder, or by its name where that has one run.
RecordedRun recorded_run(const std::string& path) {
  const RunFolder folder = find_run(existing_or_under("results", path).string());
  if (!folder.finished()) {
    throw Error(Exit::bad_spec, "{}: not finished: it has no result.json", folder.path().string());
  }
  return read_recorded_run(folder.path());
}

/// How often the first was right more often than the second.
struct Score {
  int64_t better = 0, equal = 0, worse = 0;
};

Score score_of(const RecordedRun& first, const RecordedRun& second) {
  Score score;
  for (size_t e = 0; e < first.accuracies.size(); ++e) {
    const double a = first.accuracies[e], b = second.accuracies[e];
    ++(a > b ? score.better : a < b ? score.worse : score.equal);
  }
  return score;
}

std::string percent(double fraction) { return fmt::format("{:.2f}", 100 * fraction); }

void print_run(const RecordedRun& run) {
  std::string line = fmt::format("  {} %", percent(run.accuracy.mean));
  if (run.accuracy.ci95) line += fmt::format(" +- {} on these tasks", percent(*run.accuracy.ci95));
  if (run.ci95_classes) line += fmt::format(", +- {} for new classes", percent(*run.ci95_classes));
  fmt::print("{}\n{}\n", run.label(), line);
}

void print_comparison(const RecordedRun& first, const RecordedRun& second,
                      const Comparison& comparison) {
  fmt::print("{}\n\n", title_of(first.tasks));
  print_run(first);
  print_run(second);
  const bool same_name = first.name == second.name;
  const auto name = [&](const RecordedRun& run) { return same_name ? run.label() : run.name; };
  fmt::print("\n{}\n", verdict(name(first), name(second), comparison, comparison.p_value()));
  const auto print_interval = [&](const char* what, std::optional<double> half_width,
                                  std::optional<double> p) {
    if (half_width && p) {
      fmt::print("  {:<17} {:+.2f} +- {} points ({})\n", what, 100 * comparison.difference,
                 percent(*half_width), p_text(*p));
    }
  };
  print_interval("on these tasks:", comparison.ci95_episodes(), comparison.p_episodes());
  print_interval("for new classes:", comparison.ci95_classes(), comparison.p_classes());
  const Score score = score_of(first, second);
  fmt::print("  the first is better on {} tasks, equal on {}, worse on {}\n", score.better,
             score.equal, score.worse);
  fmt::print("Paired on the same {} tasks; first minus second; two-sided t-tests.\n",
             comparison.episodes);
}

Json run_json(const RecordedRun& run) {
  Json json{{"id", run.id},
            {"name", run.name},
            {"seed", run.seed},
            {"folder", run.folder.generic_string()}};
  json["accuracy"] = run.result.at("test").at("accuracy");
  return json;
}

int compare_runs(const Arguments& arguments) {
  const std::string usage = compare_command().usage;
  const RecordedRun first = recorded_run(required(arguments, "first", usage));
  const RecordedRun second = recorded_run(required(arguments, "second", usage));
  if (first.tasks != second.tasks) {
    throw Error(Exit::bad_spec, "{} and {} were tested on different tasks: {}",
                first.folder.string(), second.folder.string(),
                differences(first.tasks, second.tasks));
  }
  const Comparison comparison =
      compare(first.accuracies, second.accuracies, first.sources, first.tasks.way);
  if (!flag(arguments, "json")) {
    print_comparison(first, second, comparison);
    return 0;
  }
  const Score score = score_of(first, second);
  Json json{{"schema", "kshot.comparison/1"},
            {"first", run_json(first)},
            {"second", run_json(second)},
            {"comparison", comparison_json(comparison)},
            {"tasks", {{"better", score.better}, {"equal", score.equal}, {"worse", score.worse}}}};
  fmt::print("{}\n", json.dump(1));
  return 0;
}

}  // namespace

Command compare_command() {
  Command command;
  command.name = "compare";
  command.summary = "compare two finished runs on the tasks that both met";
  command.usage = "compare RUN RUN [--json]";
  command.details =
      "RUN is a run's folder, results/NAME/ID, or NAME where there is a single run of that name.\n"
      "Runs that were tested on different tasks are refused.\n\n"
      "  kshot compare demo demo-untrained";
  command.positional = {"first", "second"};
  add_json_option(command.options);
  command.run = compare_runs;
  return command;
}

}  // namespace kshot
