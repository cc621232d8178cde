// All runs in one table.
#include <set>

#include "experiments/leaderboard/leaderboard.h"
#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

bool same_tasks(const Report& report) {
  std::set<TaskDefinition> met;
  for (const ReportRun& run : report.runs) {
    if (run.finished()) met.insert(run.record->tasks);
  }
  return met.size() < 2;
}

/// What to know before quoting a run's figures, as the leaderboard flags it.
std::string remarks(const ReportRun& run) {
  if (!run.finished()) return run.progress();
  LeaderboardRow row;
  row.runs.push_back(*run.record);
  return fmt::format("{}", fmt::join(row.flags(), ", "));
}

}  // namespace

Section runs_section(const Report& report) {
  if (report.runs.size() == 1) return {};
  const bool same = same_tasks(report);
  HtmlTable table(report.outcome.kind == Outcome::Kind::none
                      ? "Runs, in the order given"
                      : fmt::format("Runs, the best by {} first", report.outcome.text()),
                  {{"run"},
                   {"test", true},
                   {"± these tasks", true},
                   {"± new classes", true},
                   {"validation", true},
                   {"at iteration", true},
                   {"paper", true},
                   {"test tasks"},
                   {"remarks"}});
  for (const size_t i : report.order) {
    const ReportRun& run = report.runs[i];
    const Score& score = run.score();
    std::vector<Cell> cells{run_cell(report, run)};
    const auto number = [&](const std::optional<double>& value) {
      cells.emplace_back(value ? score.number(*value) : "");
    };
    cells.emplace_back(run.finished() ? score.told(run.record->score.mean) : "");
    number(run.finished() ? run.record->score.ci95 : std::nullopt);
    number(run.finished() ? run.record->ci95_classes : std::nullopt);
    number(run.validation_score());
    cells.emplace_back(run.chosen() ? std::to_string(run.chosen()->iteration) : "");
    const Json paper =
        run.finished() ? run.record->result.value("paper", Json::object()) : Json::object();
    const Json theirs = paper.value(score.name, Json());
    number(theirs.is_number() ? std::optional(theirs.get<double>()) : std::nullopt);
    cells.emplace_back(run.finished() && !same ? title_of(run.record->tasks) : "");
    cells.emplace_back(remarks(run));
    table.row(std::move(cells));
  }
  return {"runs", "The runs", table.html()};
}

}  // namespace kshot
