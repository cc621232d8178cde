#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/run/episode.h"

namespace kshot {

/// What a regression task was answered. Q queries of D numbers each, query by query.
struct RegressionAnswers {
  std::vector<double> predictions, targets;  ///< [Q*D]
  std::vector<double> mse_by_step;           ///< after each step of adaptation, from none to all
};

/// Mean squared error of the predictions, in double: what is recorded can be derived to the last
/// digit. Not a number where there are none.
double mean_squared_error(const RegressionAnswers& answers);

/// What happened on one test task.
struct EpisodeOutcome {
  TaskPlan plan;
  std::vector<int64_t> predictions;  ///< a label per query image
  double accuracy = 0;
  double loss = 0;  ///< mean cross-entropy of the queries; of a regression the mean squared error
  std::optional<RegressionAnswers> regression = {};  ///< in the place of predictions and accuracy
};

/// One line of episodes.jsonl, and back. From these lines every figure in result.json can be
/// derived again. Throws Error(bad_data) naming `where` for a line that is not one.
Json outcome_to_json(const EpisodeOutcome& outcome);
EpisodeOutcome outcome_from_json(const Json& line, const std::string& where);

/// All lines of an episodes.jsonl, as text.
std::string outcomes_text(const std::vector<EpisodeOutcome>& outcomes);
std::vector<EpisodeOutcome> read_outcomes(const std::filesystem::path& path);

}  // namespace kshot
