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

/// On how many tasks the first was better than the second.
struct Tally {
  int64_t better = 0, equal = 0, worse = 0;
};

const Score& score_in(const RecordedRun& run) { return score_of(run.tasks.kind); }

Tally tally_of(const RecordedRun& first, const RecordedRun& second) {
  const Score& score = score_in(first);
  Tally tally;
  for (size_t e = 0; e < first.scores.size(); ++e) {
    const double a = first.scores[e], b = second.scores[e];
    ++(score.better(a, b) ? tally.better : score.better(b, a) ? tally.worse : tally.equal);
  }
  return tally;
}

void print_run(const RecordedRun& run) {
  const Score& score = score_in(run);
  std::string line = fmt::format("  {}", score.told(run.score.mean));
  if (run.score.ci95) line += fmt::format(" +- {} on these tasks", score.number(*run.score.ci95));
  if (run.ci95_classes)
    line += fmt::format(", +- {} for new classes", score.number(*run.ci95_classes));
  fmt::print("{}\n{}\n", run.label(), line);
}

void print_comparison(const RecordedRun& first, const RecordedRun& second,
                      const Comparison& comparison) {
  fmt::print("{}\n\n", title_of(first.tasks));
  print_run(first);
  print_run(second);
  const Score& score = score_in(first);
  const bool same_name = first.name == second.name;
  const auto name = [&](const RecordedRun& run) { return same_name ? run.label() : run.name; };
  fmt::print("\n{}\n", verdict(name(first), name(second), comparison, comparison.p_value(), score));
  const auto print_interval = [&](const char* what, std::optional<double> half_width,
                                  std::optional<double> p) {
    if (half_width && p) {
      fmt::print("  {:<17} {} +- {}{} ({})\n", what, score.signed_number(comparison.difference),
                 score.number(*half_width), score.difference_unit, p_text(*p));
    }
  };
  print_interval("on these tasks:", comparison.ci95_episodes(), comparison.p_episodes());
  print_interval("for new classes:", comparison.ci95_classes(), comparison.p_classes());
  const Tally tally = tally_of(first, second);
  fmt::print("  the first is better on {} tasks, equal on {}, worse on {}\n", tally.better,
             tally.equal, tally.worse);
  fmt::print("Paired on the same {} tasks; first minus second; two-sided t-tests.\n",
             comparison.episodes);
}

Json run_json(const RecordedRun& run) {
  Json json{{"id", run.id},
            {"name", run.name},
            {"seed", run.seed},
            {"folder", run.folder.generic_string()}};
  const Json& test = run.result.at("test");
  for (const char* figures : {"accuracy", "error"}) {
    if (test.contains(figures)) json[figures] = test[figures];
  }
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
      compare(first.scores, second.scores, first.sources, first.tasks.way);
  if (!flag(arguments, "json")) {
    print_comparison(first, second, comparison);
    return 0;
  }
  const Tally tally = tally_of(first, second);
  Json json{{"schema", "kshot.comparison/1"},
            {"first", run_json(first)},
            {"second", run_json(second)},
            {"comparison", comparison_json(comparison)},
            {"tasks", {{"better", tally.better}, {"equal", tally.equal}, {"worse", tally.worse}}}};
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
