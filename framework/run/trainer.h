#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "framework/run/checkpoint.h"
#include "framework/run/compute.h"
#include "framework/run/optimizer_options.h"
#include "framework/run/train_options.h"

namespace kshot {

/// Everything a training is made of. The trainer knows no algorithm by name.
struct Training {
  const Algorithm* algorithm = nullptr;
  std::shared_ptr<const TaskSource> train;
  std::shared_ptr<const TaskSource> retrain;  ///< train and validation classes, for retrain_extra
  std::shared_ptr<const TaskSource> validation;  ///< may be absent: then the last weights are taken
  int64_t validation_tasks = 100;
  uint64_t validation_seed = 0;
  TrainOptions options;
  OptimizerOptions optimizer;
  Compute compute;
  uint64_t seed = 1;
  int64_t log_every = 100;
  bool tensorboard = false;      ///< event files in tensorboard/, too
  std::filesystem::path folder;  ///< of the run: checkpoints/ and metrics.jsonl go there
  std::function<void()> check_inputs = [] {};  ///< throws where data changed; before every saving
  bool resume = false;
  bool quiet = false;
};

struct TrainingResult {
  /// Chosen by validation, best first, or the last alone. More than one for an ensemble.
  std::vector<ParamList> models;
  std::vector<int64_t> ensemble_iterations;  ///< of an ensemble's models, else empty
  int64_t iterations = 0;
  int64_t best_iteration = 0;
  std::optional<double> best_validation_accuracy, best_validation_loss;
  double seconds = 0;           ///< all of training, validation included, over all resumes
  double tasks_per_second = 0;  ///< of learning alone
  bool stopped = false;         ///< by a signal: `checkpoints/last` continues it
};

/// Weights to begin with: algorithm.init() on the device, in the dtype of `compute`.
ParamList initial_weights(const Algorithm& algorithm, const Shapes& shapes, uint64_t seed,
                          const Compute& compute);

/// Trains from the start, or from checkpoints/last where `resume` is set.
/// Throws Error(diverged) where a loss is not finite; what was saved before stays.
TrainingResult train(TaskEngine& engine, const Training& training);

}  // namespace kshot
