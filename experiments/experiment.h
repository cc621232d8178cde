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
  /// Of train, validation and test, empty where nothing is trained; of the weights started from.
  std::vector<std::string> data_sha256, weights_sha256;
  std::vector<std::string> started_from;  ///< names of the classes that given weights know
  std::vector<std::string> leak;          ///< classes of the test that are among these
  std::string id;

  RunIdentity identity() const { return {resolved, data_sha256, weights_sha256, compute}; }
  bool learns() const { return facts.feeds != Feeds::nothing; }

  /// Throws Error(bad_data) where a file of its data was changed since it was opened.
  void check_data_unchanged() const;

  /// The names of all classes that its weights have met when it is trained, sorted: of the training
  /// split, of validation where it is learned from, and those that given weights know.
  std::vector<std::string> classes_learned() const;
};

/// The algorithm of a spec and the backbone that it uses, if any; needs no data.
struct PreparedAlgorithm {
  AlgorithmFacts facts;
  BackbonePtr backbone;
  std::unique_ptr<const Algorithm> algorithm;
  std::string weights_sha256 = {};  ///< of the file that the backbone starts from, if any
  WeightData weights_data = {};     ///< what it was trained on
};
/// The backbone tells `paths`, if any, what computes its layers.
PreparedAlgorithm prepare_algorithm(const ExperimentSpec& spec,
                                    std::shared_ptr<PathLog> paths = nullptr);

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
