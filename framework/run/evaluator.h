#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/run/compute.h"
#include "framework/run/statistics.h"

namespace kshot {

/// What happened on one test task.
struct EpisodeOutcome {
  TaskPlan plan;
  std::vector<int64_t> predictions;  ///< a label per query image
  double accuracy = 0;
  double loss = 0;  ///< mean cross-entropy of the queries
};

/// What a set of test tasks says about a model.
struct Evaluation {
  std::vector<EpisodeOutcome> episodes;
  std::string episodes_sha256;
  Summary accuracy, loss;
  std::optional<double> ci95_classes;  ///< interval for new classes
};

struct EvaluationRequest {
  int64_t count = 1000;
  uint64_t seed = 0;  ///< of an algorithm's own draws at test
  std::function<void(int64_t done)> progress = {};
};

/// Adapts to each of the tasks 0 .. count-1 of the source and classifies its queries. Each task is
/// computed alone with one intra-op thread, so figures do not depend on thread count or batch.
/// Ends early, with an empty result, where a stop signal came.
/// Throws Error(diverged) for logits that are not finite.
std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   const ParamList& weights, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute);

/// Means and intervals of outcomes, as evaluate() fills them in.
void summarise(Evaluation& evaluation, const std::vector<TaskClass>& classes);

/// The source classes of each episode, for statistics over classes.
std::vector<std::vector<int64_t>> source_lists(const std::vector<EpisodeOutcome>& episodes,
                                               const std::vector<TaskClass>& classes);

}  // namespace kshot
