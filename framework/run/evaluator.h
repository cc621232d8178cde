#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/run/compute.h"
#include "framework/run/outcome.h"
#include "framework/run/statistics.h"

namespace kshot {

/// What a set of test tasks says about a model.
struct Evaluation {
  TaskKind kind = TaskKind::classification;
  std::vector<EpisodeOutcome> episodes;
  std::string episodes_sha256;
  Summary accuracy;                       ///< without values for a regression
  Summary loss;                           ///< of a regression: the mean squared error
  std::optional<double> ci95_classes;     ///< interval for new classes
  std::vector<Summary> mse_by_step = {};  ///< a regression's, after 0, 1, ... steps of adaptation
};

struct EvaluationRequest {
  int64_t count = 1000;
  uint64_t seed = 0;  ///< of an algorithm's own draws at test
  std::function<void(int64_t done)> progress = {};
};

/// Adapts the models, one or an ensemble, to each of the tasks 0 .. count-1 of the source and
/// answers its queries. Each task is computed alone with one intra-op thread, so figures do not
/// depend on thread count or batch. Ends early, with an empty result, where a stop signal came.
/// Throws Error(diverged) for logits that are not finite.
std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   std::span<const ParamList> models, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute);
std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   const ParamList& weights, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute);

/// The kind, means and intervals of outcomes, as evaluate() fills them in. Throws Error(bad_data)
/// where outcomes are of both kinds, or of regressions with different numbers of steps.
void summarise(Evaluation& evaluation, const std::vector<TaskClass>& classes);

/// The source classes of each episode, for statistics over classes.
std::vector<std::vector<int64_t>> source_lists(const std::vector<EpisodeOutcome>& episodes,
                                               const std::vector<TaskClass>& classes);

}  // namespace kshot
