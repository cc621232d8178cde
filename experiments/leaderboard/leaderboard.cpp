#include "experiments/leaderboard/leaderboard.h"

#include <algorithm>
#include <map>
#include <set>

#include "experiments/records/method_traits.h"

namespace kshot {
namespace {

/// Names of one table become unique.
void name_methods(std::vector<LeaderboardRow>& rows) {
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t i = 0; i < rows.size(); ++i) by_name[rows[i].runs[0].name].push_back(i);
  std::set<std::string> taken;
  for (const auto& [name, members] : by_name) {
    for (const size_t i : members) {
      std::vector<Traits> others;
      for (const size_t j : members) {
        if (j != i) others.push_back(traits_of(rows[j].runs[0]));
      }
      const std::string difference = difference_from(others, traits_of(rows[i].runs[0]));
      std::string& method = rows[i].method = difference.empty() ? name : name + " " + difference;
      if (!taken.insert(method).second) method += " " + rows[i].runs[0].id;
    }
  }
}

/// Runs of one method go together; a seed that is there already starts a row of its own.
std::vector<LeaderboardRow> rows_of(const std::vector<const RecordedRun*>& runs) {
  std::vector<LeaderboardRow> rows;
  std::vector<std::pair<std::string, Traits>> methods;
  for (const RecordedRun* run : runs) {
    const std::pair method(run->name, traits_of(*run));
    size_t place = 0;
    const auto takes = [&](size_t i) {
      return methods[i] == method &&
             std::none_of(rows[i].runs.begin(), rows[i].runs.end(),
                          [&](const RecordedRun& r) { return r.seed == run->seed; });
    };
    while (place < rows.size() && !takes(place)) ++place;
    if (place == rows.size()) {
      rows.emplace_back();
      methods.push_back(method);
    }
    rows[place].runs.push_back(*run);
  }
  for (LeaderboardRow& row : rows) {
    std::stable_sort(row.runs.begin(), row.runs.end(),
                     [](const RecordedRun& a, const RecordedRun& b) { return a.seed < b.seed; });
  }
  name_methods(rows);
  return rows;
}

/// Fills in what the runs of a row say together.
void pool(LeaderboardRow& row, int64_t way) {
  const auto seeds = static_cast<double>(row.runs.size());
  row.scores.assign(row.runs[0].scores.size(), 0);
  std::vector<double> means;
  for (const RecordedRun& run : row.runs) {
    for (size_t e = 0; e < row.scores.size(); ++e) row.scores[e] += run.scores[e];
    means.push_back(run.score.mean);
  }
  for (double& score : row.scores) score /= seeds;
  row.score = summarize(row.scores);
  row.ci95_classes = class_interval(row.scores, row.runs[0].sources, way);
  row.seed_spread = summarize(means).std;
}

LeaderboardTable table_of(const TaskDefinition& tasks,
                          const std::vector<const RecordedRun*>& runs) {
  LeaderboardTable table{.tasks = tasks, .rows = rows_of(runs), .ranking = {}};
  for (LeaderboardRow& row : table.rows) pool(row, tasks.way);
  const Score& score = table.score();
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [&](const LeaderboardRow& a, const LeaderboardRow& b) {
                     return score.better(a.score.mean, b.score.mean);
                   });
  std::vector<Method> methods;
  for (const LeaderboardRow& row : table.rows) methods.emplace_back(row.scores);
  table.ranking =
      rank_methods(methods, table.rows[0].runs[0].sources, tasks.way, score.more_is_better);
  for (size_t i = 0; i < table.rows.size(); ++i) table.rows[i].rank = table.ranking.ranks[i];
  return table;
}

}  // namespace

std::vector<LeaderboardTable> make_leaderboard(const std::vector<RecordedRun>& runs) {
  std::map<TaskDefinition, std::vector<const RecordedRun*>> by_tasks;
  for (const RecordedRun& run : runs) by_tasks[run.tasks].push_back(&run);
  std::vector<LeaderboardTable> tables;
  for (const auto& [tasks, members] : by_tasks) tables.push_back(table_of(tasks, members));
  return tables;
}

}  // namespace kshot
