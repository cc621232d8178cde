#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/records/records.h"
#include "framework/run/comparison.h"
#include "framework/run/score.h"

namespace kshot {

/// What a paper reports, and whether ours agrees with it.
struct PaperNumber {
  double value = 0;
  bool comparable = true;  ///< the protocol is the paper's
  /// How far the paper's number may lie from ours: the interval for new classes (else for these
  /// tasks) and, with several seeds, that for one more training, squares added. Absent where
  /// neither is known or the numbers are not comparable.
  std::optional<double> half_width = {};
  bool agrees = false;  ///< it lies within; only where half_width is there
};

/// One method: the runs of one spec, alike but for the training seed.
struct LeaderboardRow {
  std::string method;             ///< the run's name, and what tells it from others of that name
  std::vector<RecordedRun> runs;  ///< by seed
  std::vector<double> scores;     ///< of each episode, the mean over seeds: this is what is paired
  Summary score;
  std::optional<double> ci95_classes;
  std::optional<double>
      seed_spread;  ///< std (divisor n - 1) of the seeds' means; absent for one seed
  int64_t rank = 1;

  /// "transductive", "extra data", "leaked classes", "dirty", "3 deviations", "not comparable".
  std::vector<std::string> flags() const;
  /// What the paper reports of this score, where it does: paper.accuracy, or paper.mse.
  std::optional<PaperNumber> paper(const Score& measured) const;
};

/// The methods that met the same tasks, the best mean first.
struct LeaderboardTable {
  TaskDefinition tasks;
  std::vector<LeaderboardRow> rows;
  Ranking ranking;  ///< all pairs of rows, Holm-corrected within this table

  const Score& score() const { return score_of(tasks.kind); }
};

/// One table for each task definition; methods that met different tasks are never put together.
std::vector<LeaderboardTable> make_leaderboard(const std::vector<RecordedRun>& runs);

/// The JSON document of all tables.
Json leaderboard_json(const std::vector<LeaderboardTable>& tables, const Records& records);
/// The figures of a row: "mean", "std", "ci95_episodes", "ci95_classes", "std_over_seeds".
Json figures_json(const LeaderboardRow& row);
Json tasks_json(const TaskDefinition& tasks);

}  // namespace kshot
