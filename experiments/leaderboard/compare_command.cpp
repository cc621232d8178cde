// kshot compare: one paired comparison, in words and numbers.
#include "experiments/commands.h"
#include "experiments/leaderboard/comparison_words.h"
#include "experiments/leaderboard/leaderboard.h"
#include "experiments/records/run_folder.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// The method behind RUN: one finished run, or all finished runs of a folder, if these differ in
/// the training seed alone.
LeaderboardRow method_at(const std::string& path) {
  const fs::path folder = existing_or_under("results", path);
  std::vector<fs::path> finished;
  if (fs::is_directory(folder)) finished = find_run_folders({folder}).finished;
  if (finished.empty()) {
    throw Error(Exit::bad_spec, "{}: not finished: it has no result.json",
                find_run(folder.string()).path().string());
  }
  std::vector<RecordedRun> runs;
  for (const fs::path& each : finished) runs.push_back(read_recorded_run(each));
  const std::vector<LeaderboardTable> tables = make_leaderboard(runs);
  if (tables.size() != 1 || tables[0].rows.size() != 1) {
    throw Error(Exit::bad_spec,
                "{}: holds {} runs that differ in more than the training seed; name one of them, "
                "as {}",
                folder.string(), runs.size(), finished[0].string());
  }
  return tables[0].rows[0];
}

const TaskDefinition& tasks_of(const LeaderboardRow& method) { return method.runs[0].tasks; }

const Score& score_in(const LeaderboardRow& method) { return score_of(tasks_of(method).kind); }

/// "protonet (3fa91c0b2d7e, seed 1)", "protonet (seeds 1, 2, 3)".
std::string label_of(const LeaderboardRow& method) {
  if (method.runs.size() == 1) return method.runs[0].label();
  std::vector<uint64_t> seeds;
  for (const RecordedRun& run : method.runs) seeds.push_back(run.seed);
  return fmt::format("{} (seeds {})", method.runs[0].name, fmt::join(seeds, ", "));
}

/// On how many tasks the first was better than the second.
struct Tally {
  int64_t better = 0, equal = 0, worse = 0;
};

Tally tally_of(const LeaderboardRow& first, const LeaderboardRow& second) {
  const Score& score = score_in(first);
  Tally tally;
  for (size_t e = 0; e < first.scores.size(); ++e) {
    const double a = first.scores[e], b = second.scores[e];
    ++(score.better(a, b) ? tally.better : score.better(b, a) ? tally.worse : tally.equal);
  }
  return tally;
}

void print_method(const LeaderboardRow& method) {
  const Score& score = score_in(method);
  std::string line = fmt::format("  {}", score.told(method.score.mean));
  if (method.score.ci95)
    line += fmt::format(" +- {} on these tasks", score.number(*method.score.ci95));
  if (method.ci95_classes)
    line += fmt::format(", +- {} for new classes", score.number(*method.ci95_classes));
  if (method.seed_spread) {
    line += fmt::format("; the means of its {} trainings have a standard deviation of {}",
                        method.runs.size(), score.number(*method.seed_spread));
  }
  fmt::print("{}\n{}\n", label_of(method), line);
}

void print_comparison(const LeaderboardRow& first, const LeaderboardRow& second,
                      const Comparison& comparison) {
  fmt::print("{}\n\n", title_of(tasks_of(first)));
  print_method(first);
  print_method(second);
  const Score& score = score_in(first);
  const bool same_name = first.runs[0].name == second.runs[0].name;
  const auto name = [&](const LeaderboardRow& method) {
    return same_name ? label_of(method) : method.runs[0].name;
  };
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
  const bool pooled = first.runs.size() + second.runs.size() > 2;
  fmt::print("Paired on the same {} tasks{}; first minus second; two-sided t-tests.\n",
             comparison.episodes, pooled ? ", each the mean over seeds" : "");
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

Json method_json(const LeaderboardRow& method) {
  if (method.runs.size() == 1) return run_json(method.runs[0]);
  Json runs = Json::array();
  for (const RecordedRun& run : method.runs) runs.push_back(run_json(run));
  return {
      {"name", method.runs[0].name}, {"runs", runs}, {score_in(method).name, figures_json(method)}};
}

int compare_runs(const Arguments& arguments) {
  const std::string usage = compare_command().usage;
  const LeaderboardRow first = method_at(required(arguments, "first", usage));
  const LeaderboardRow second = method_at(required(arguments, "second", usage));
  if (tasks_of(first) != tasks_of(second)) {
    throw Error(Exit::bad_spec, "{} and {} were tested on different tasks: {}",
                first.runs[0].folder.string(), second.runs[0].folder.string(),
                differences(tasks_of(first), tasks_of(second)));
  }
  const Comparison comparison =
      compare(first.scores, second.scores, first.runs[0].sources, tasks_of(first).way);
  if (!flag(arguments, "json")) {
    print_comparison(first, second, comparison);
    return 0;
  }
  const Tally tally = tally_of(first, second);
  Json json{{"schema", "kshot.comparison/1"},
            {"first", method_json(first)},
            {"second", method_json(second)},
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
      "RUN is a run's folder, results/NAME/ID, or NAME where the runs of that name differ in the\n"
      "training seed alone: then the mean over seeds of each task is what is paired. Runs that "
      "were\n"
      "tested on different tasks are refused.\n\n"
      "  kshot compare demo demo-untrained";
  command.positional = {"first", "second"};
  add_json_option(command.options);
  command.run = compare_runs;
  return command;
}

}  // namespace kshot
