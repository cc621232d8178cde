#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/sweep/sweep_plan.h"
#include "framework/run/score.h"
#include "framework/run/statistics.h"

namespace kshot {

/// The trials of a sweep that differ in their seed alone.
struct Configuration {
  Settings settings;  ///< without the seed
  std::vector<const Trial*> trials = {};
  std::optional<Summary> validation = {};  ///< over the seeds that have a score
  std::optional<Summary> loss = {};        ///< of the same validations: parts equal scores
  std::optional<Summary> test = {};        ///< over the seeds that were tested
  std::vector<std::string> problems = {};  ///< "1 diverged", "2 not trained"
  bool chosen = false;

  /// Whether every seed has a score: the mean over those that did not diverge would flatter.
  bool complete() const { return validation && validation->n == std::ssize(trials); }
};

/// Configurations whose scores may be compared: the same validation tasks. The best comes first,
/// those that lack a seed last.
struct SweepTable {
  Json validation_tasks;
  TaskKind kind = TaskKind::classification;
  std::vector<Configuration> configurations;

  const Score& score() const { return score_of(kind); }
};

/// What lies on disk of a sweep's trials, a table for each set of validation tasks. Chosen in each
/// is the complete configuration with the best mean validation score. Throws Error(bad_data).
std::vector<SweepTable> make_sweep_tables(const SweepPlan& plan);

/// The trials of the chosen configurations.
std::vector<const Trial*> chosen_trials(const std::vector<SweepTable>& tables);

std::string sweep_text(const SweepPlan& plan, const std::vector<SweepTable>& tables);
Json sweep_json(const SweepPlan& plan, const std::vector<SweepTable>& tables);

}  // namespace kshot
