#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "experiments/experiment_spec.h"
#include "framework/run/evaluator.h"
#include "framework/run/run_record.h"

namespace kshot {

/// A spec brought to life: data opened, algorithm made, task sources ready. Writes nothing.
struct Experiment {
  ExperimentSpec spec;
  Json resolved;
  Compute compute;
  BackbonePtr backbone;
  std::unique_ptr<const Algorithm> algorithm;
  AlgorithmFacts facts;
  DatasetPtr train_data, validation_data, test_data;  ///< often one and the same
  std::shared_ptr<const TaskSource> train, retrain, validation,
      test;  ///< train: absent where nothing is learned
  std::string id;

  bool learns() const { return facts.feeds != Feeds::nothing; }
};

/// The data set that a block of a spec names. Blocks with the same content share one.
class DatasetCache {
 public:
  DatasetPtr open(const Json& block);

 private:
  std::map<std::string, DatasetPtr> opened_;
};

/// Throws Error for everything that could go wrong before step 0. The backbone tells `paths`, if
/// any, what computes its layers.
Experiment open_experiment(const ExperimentSpec& spec, const torch::Device& device,
                           std::shared_ptr<PathLog> paths = nullptr);
/// The same with data sets that other experiments may have opened.
Experiment open_experiment(const ExperimentSpec& spec, const torch::Device& device,
                           std::shared_ptr<PathLog> paths, DatasetCache& datasets);

/// How a block looks at its data (splits, rotations, inversion).
DatasetView view_of(const Json& block);

/// The tasks of "train", "validation" or "test" with a spec's data, for `kshot episodes`.
std::shared_ptr<const TaskSource> held_out_source(const ExperimentSpec& spec,
                                                  const std::string& split, DatasetCache& datasets);

/// The validation tasks of a spec, also where it learns nothing; nullptr where its data set has no
/// such split.
std::shared_ptr<const TaskSource> validation_source(const ExperimentSpec& spec,
                                                    DatasetCache& datasets);

/// The training of an experiment, ready for train().
Training training_of(const Experiment& experiment, const std::filesystem::path& folder);

/// Weights of an untrained model of this experiment, for algorithms that learn nothing and as the
/// shape that a checkpoint must have.
ParamList fresh_weights(const Experiment& experiment);

}  // namespace kshot
