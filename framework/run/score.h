#pragma once

#include <string>
#include <vector>

#include "framework/run/evaluator.h"

namespace kshot {

/// What is measured on each task of a kind, which way is better, and how its figures are told:
/// whoever prints an accuracy or a mean squared error asks here.
struct Score {
  std::string name;   ///< in JSON and above a column: "accuracy", "mse"
  std::string title;  ///< at the head of a sentence: "Accuracy in %"
  bool more_is_better = true;
  bool percent = true;          ///< told with two decimals in percent, else to four digits
  std::string difference_unit;  ///< behind a difference: " points"

  bool better(double a, double b) const { return more_is_better ? a > b : a < b; }
  /// Whether `first - second` speaks for the first, or for neither.
  bool favours_first(double difference) const {
    return more_is_better ? difference >= 0 : difference <= 0;
  }

  std::string number(double value) const;              ///< "91.20"; "0.3512"
  std::string signed_number(double difference) const;  ///< "+3.10"; "-0.2"
  std::string told(double value) const;                ///< "91.20 %"; "mse 0.3512"
};

const Score& score_of(TaskKind kind);

/// The score of each episode.
std::vector<double> score_values(const Evaluation& evaluation);
/// Their mean and spread.
const Summary& score_summary(const Evaluation& evaluation);

}  // namespace kshot
