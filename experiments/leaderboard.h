#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/recorded_run.h"
#include "framework/run/comparison.h"
#include "framework/run/score.h"

namespace kshot {

/// Finished runs found on disk.
struct Records {
  std::vector<RecordedRun> runs;      ///< by name, seed and id
  std::vector<std::string> warnings;  ///< one line for each record that was refused
  int64_t duplicates = 0;             ///< records of a run id that was there already
};

/// Reads every finished run at or below the folders. A run's own `evaluations/` are passed over
/// unless such a folder is given itself. The same run id on the same tasks counts once. A record
/// that cannot be read, or whose episode lines do not give its figures, is left out with a warning.
/// Throws Error(bad_spec) for a folder that does not exist.
Records read_records(const std::vector<std::filesystem::path>& folders);

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

  /// "transductive", "dirty", "3 deviations", "not comparable".
  std::vector<std::string> flags() const;
  /// The figure that the paper reports, where it does: paper.accuracy, or paper.mse.
  std::optional<double> paper(const Score& measured) const;
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

/// For people. `bold`: the methods that share the first rank are set in bold.
std::string leaderboard_text(const std::vector<LeaderboardTable>& tables, bool bold);

Json leaderboard_json(const std::vector<LeaderboardTable>& tables, const Records& records);

/// "a beats b by 31.2 +- 1.4 points (p < 0.001)", or that they cannot be told apart. The interval
/// is the one that the decision rests on.
std::string verdict(const std::string& first, const std::string& second,
                    const Comparison& comparison, double p_value,
                    const Score& score = score_of(TaskKind::classification));
/// "p < 0.001", "p = 0.042".
std::string p_text(double p_value);
/// A paired comparison as JSON; what does not exist is absent.
Json comparison_json(const Comparison& comparison);

}  // namespace kshot
