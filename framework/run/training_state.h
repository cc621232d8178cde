#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "framework/base/fields.h"
#include "framework/run/ensemble.h"

namespace kshot {

/// Where a training stands: all that a resume needs beside weights and moments.
struct TrainingState {
  std::string phase = "train";  ///< then "retrain", then "done"
  int64_t iteration = 0;        ///< steps done in this phase
  int64_t validated = 0;        ///< the iteration of the last validation
  int64_t best_iteration = 0;
  std::optional<double> best_accuracy, best_loss;
  ModelRanking ranking;  ///< of an ensemble's models, else empty
  int64_t stale = 0;     ///< validations since the best
  int64_t tasks = 0;     ///< learned from, in all phases
  double seconds = 0, learning_seconds = 0;
  uint64_t metrics_length = 0;
  double window_loss = 0, window_accuracy = 0;  ///< sums over window_tasks since the last log line
  int64_t window_tasks = 0;

  void describe(Fields& fields) {
    fields.option("phase", phase, {});
    fields.option("iteration", iteration, {});
    fields.option("validated", validated, {});
    fields.option("best_iteration", best_iteration, {});
    fields.option("best_accuracy", best_accuracy, {});
    fields.option("best_loss", best_loss, {});
    fields.option("ranked_iterations", ranking.iterations, {});
    fields.option("ranked_values", ranking.values, {});
    fields.option("stale", stale, {});
    fields.option("tasks", tasks, {});
    fields.option("seconds", seconds, {});
    fields.option("learning_seconds", learning_seconds, {});
    fields.option("metrics_length", metrics_length, {});
    fields.option("window_loss", window_loss, {});
    fields.option("window_accuracy", window_accuracy, {});
    fields.option("window_tasks", window_tasks, {});
  }
};

}  // namespace kshot
