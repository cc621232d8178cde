#include "framework/run/score.h"

#include <fmt/format.h>

namespace kshot {

std::string Score::number(double value) const {
  return percent ? fmt::format("{:.2f}", 100 * value) : fmt::format("{:.4g}", value);
}

std::string Score::signed_number(double difference) const {
  return percent ? fmt::format("{:+.2f}", 100 * difference) : fmt::format("{:+.4g}", difference);
}

std::string Score::told(double value) const {
  return percent ? number(value) + " %" : name + " " + number(value);
}

const Score& score_of(TaskKind kind) {
  static const Score accuracy{.name = "accuracy",
                              .title = "Accuracy in %",
                              .more_is_better = true,
                              .percent = true,
                              .difference_unit = " points"};
  static const Score mse{.name = "mse",
                         .title = "Mean squared error, the lower the better",
                         .more_is_better = false,
                         .percent = false,
                         .difference_unit = " of mse"};
  return kind == TaskKind::regression ? mse : accuracy;
}

std::vector<double> score_values(const Evaluation& evaluation) {
  std::vector<double> values;
  values.reserve(evaluation.episodes.size());
  for (const EpisodeOutcome& episode : evaluation.episodes)
    values.push_back(episode.regression ? episode.loss : episode.accuracy);
  return values;
}

const Summary& score_summary(const Evaluation& evaluation) {
  return evaluation.kind == TaskKind::regression ? evaluation.loss : evaluation.accuracy;
}

}  // namespace kshot
