#include "experiments/experiment.h"

#include <cmath>
#include <set>

#include "datasets/task_generator.h"
#include "episodes/fixed_tasks.h"
#include "episodes/minibatch_source.h"
#include "framework/base/device.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

const Json& block_for(const ExperimentSpec& spec, const std::optional<Json>& own) {
  return own ? *own : spec.dataset;
}

/// Tasks drawn by the data set itself, or sampled from its classes.
std::shared_ptr<const TaskSource> task_source(const DatasetPtr& data, const DatasetView& view,
                                              const EpisodeShape& shape,
                                              const EpisodeStream& stream) {
  if (const auto* generator = dynamic_cast<const TaskGenerator*>(data.get()))
    return generator->tasks(shape, stream);
  return std::make_shared<EpisodeSampler>(data, view, shape, stream);
}

std::shared_ptr<const TaskSource> training_source(const ExperimentSpec& spec,
                                                  const DatasetPtr& data,
                                                  const std::vector<std::string>& splits) {
  const TrainTasks& tasks = spec.episodes.train;
  const DatasetView view = view_of(block_for(spec, tasks.dataset));
  if (tasks.kind == "minibatch") {
    if (dynamic_cast<const TaskGenerator*>(data.get()) != nullptr) {
      throw Error(
          Exit::bad_spec,
          "episodes.train.kind is \"minibatch\", but data set \"{}\" draws tasks: it has no "
          "images to make batches of",
          data->manifest().name);
    }
    return std::make_shared<MinibatchSource>(data, view, splits, tasks.batch, spec.seed);
  }
  auto source = task_source(
      data, view, tasks.shape,
      EpisodeStream{.splits = splits, .seed = spec.seed, .purpose = Purpose::training_tasks});
  if (!tasks.fixed_tasks) return source;
  return std::make_shared<FixedTasks>(source, static_cast<uint64_t>(*tasks.fixed_tasks));
}

std::shared_ptr<const TaskSource> held_out(const DatasetPtr& data, const Json& block,
                                           const HeldOutTasks& tasks, const std::string& split) {
  const Purpose purpose = split == "test" ? Purpose::test_tasks : Purpose::validation_tasks;
  return task_source(data, view_of(block), tasks.shape,
                     EpisodeStream{.splits = {split}, .seed = tasks.seed, .purpose = purpose});
}

bool has_split(const DatasetPtr& data, const DatasetView& view, const std::string& split) {
  const Manifest& manifest = data->manifest();
  const auto scheme =
      manifest.splits.find(view.splits.empty() ? manifest.default_split : view.splits);
  if (scheme == manifest.splits.end()) return true;  // index_classes says what is wrong
  const auto members = scheme->second.members.find(split);
  return members != scheme->second.members.end() && !members->second.empty();
}

/// Minibatch trainings may count epochs instead of iterations.
void count_epochs(ExperimentSpec& spec, const TaskSource* source) {
  const auto* batches = dynamic_cast<const MinibatchSource*>(source);
  if (!spec.train.epochs) return;
  if (batches == nullptr) {
    throw Error(Exit::bad_spec,
                "train.epochs is {}, but only minibatches have epochs: give train.iterations",
                *spec.train.epochs);
  }
  spec.train.iterations = static_cast<int64_t>(
      std::llround(*spec.train.epochs * static_cast<double>(batches->batches_per_epoch())));
}

const char* kind_text(TaskKind kind) {
  return kind == TaskKind::regression ? "regression" : "classification";
}

std::string regressing_algorithms() {
  std::vector<std::string> names;
  const auto& registry = Registry<AlgorithmPlugin>::instance();
  for (const std::string& name : registry.names()) {
    if (registry.find(name).facts.regression) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// All splits ask for the same kind of answer, and the algorithm and its backbone can give it.
void check_tasks(const Experiment& experiment) {
  const TaskKind kind = experiment.test->kind();
  if (kind == TaskKind::regression && !experiment.facts.regression) {
    throw Error(Exit::bad_spec,
                "algorithm \"{}\" classifies, but the tasks of data set \"{}\" are regressions: "
                "these algorithms learn them: {}",
                experiment.facts.name, experiment.test_data->manifest().name,
                regressing_algorithms());
  }
  for (const auto& [split, source] : {std::pair{"train", experiment.train.get()},
                                      std::pair{"validation", experiment.validation.get()}}) {
    if (source == nullptr || source->kind() == kind) continue;
    throw Error(Exit::bad_spec,
                "the tasks of split \"{}\" are of the kind {}, those of \"test\" {}", split,
                kind_text(source->kind()), kind_text(kind));
  }
  if (experiment.backbone) experiment.backbone->output_shape(experiment.test->shapes().input);
}

/// Retraining takes the validation classes in, for which a classifier of all classes has no
/// outputs.
void check_retraining(const ExperimentSpec& spec) {
  if (!spec.train.retrain_extra || spec.episodes.train.kind != "minibatch") return;
  throw Error(Exit::bad_spec,
              "train.retrain_extra is {}, but minibatches train outputs for the training classes "
              "alone: retraining needs episodes.train.kind \"episodes\"",
              *spec.train.retrain_extra);
}

/// An ensemble is made of validated weights of one training.
void check_ensemble(const Experiment& experiment) {
  const TrainOptions& train = experiment.spec.train;
  if (!experiment.learns() || train.ensemble == 1) return;
  if (train.retrain_extra) {
    throw Error(Exit::bad_spec,
                "train.ensemble is {}, but train.retrain_extra tests one model, trained anew",
                train.ensemble);
  }
  if (!experiment.validation) {
    throw Error(Exit::bad_spec,
                "train.ensemble is {}, which needs validations: a validation split, and "
                "train.validate_every above 0",
                train.ensemble);
  }
}

/// A regression has no accuracy: its checkpoint is chosen by the loss, whatever the spec says.
void resolve_selection(Experiment& experiment) {
  if (experiment.test->kind() == TaskKind::regression) experiment.spec.train.select_by = "loss";
}

/// A class and its rotations have one name.
std::set<std::string> class_names(const TaskSource& source, const Dataset& data) {
  std::set<std::string> names;
  const std::vector<ClassInfo>& classes = data.manifest().classes;
  for (const TaskClass& entry : source.classes()) {
    if (entry.source >= 0 && entry.source < std::ssize(classes))
      names.insert(classes[static_cast<size_t>(entry.source)].name);
  }
  return names;
}

/// Classes of the test that given weights were trained on.
std::vector<std::string> known_classes(const Experiment& experiment) {
  const std::set<std::string> known(experiment.started_from.begin(), experiment.started_from.end());
  std::vector<std::string> leak;
  for (const std::string& name : class_names(*experiment.test, *experiment.test_data)) {
    if (known.contains(name)) leak.push_back(name);
  }
  return leak;
}

/// Blocks that this algorithm never looks at would only make equal runs look different.
Json decisive(Json resolved, const AlgorithmFacts& facts) {
  if (!facts.uses_backbone) resolved.erase("backbone");
  if (facts.feeds != Feeds::nothing) return resolved;
  resolved.erase("optimizer");
  resolved.erase("train");
  resolved["episodes"].erase("train");
  resolved["episodes"].erase("validation");
  return resolved;
}

std::vector<std::string> data_hashes(const Experiment& experiment) {
  std::vector<std::string> hashes;
  for (const DatasetPtr& data :
       {experiment.train_data, experiment.validation_data, experiment.test_data}) {
    hashes.push_back(data ? data->manifest().sha256 : "");
  }
  return hashes;
}

}  // namespace

DatasetPtr DatasetCache::open(const Json& block) {
  const std::string name = block.at("name");
  DatasetPtr& opened = opened_[block.dump()];
  if (!opened) opened = Registry<DatasetPlugin>::instance().find(name).make(block);
  return opened;
}

DatasetView view_of(const Json& block) {
  // A resolved block holds the view's keys beside the plugin's own.
  DatasetView view;
  const Json all = write_config(view);
  Json own = Json::object();
  for (const auto& [key, value] : all.items()) {
    if (block.contains(key)) own[key] = block[key];
  }
  read_config(view, own, "dataset");
  return view;
}

std::shared_ptr<const TaskSource> held_out_source(const ExperimentSpec& spec,
                                                  const std::string& split,
                                                  DatasetCache& datasets) {
  if (split == "train") {
    return training_source(spec, datasets.open(block_for(spec, spec.episodes.train.dataset)),
                           {"train"});
  }
  if (split != "validation" && split != "test") {
    throw Error(Exit::bad_spec, "--split is \"{}\", expected train, validation or test", split);
  }
  const HeldOutTasks& tasks = split == "test" ? spec.episodes.test : spec.episodes.validation;
  const Json& block = block_for(spec, tasks.dataset);
  return held_out(datasets.open(block), block, tasks, split);
}

std::shared_ptr<const TaskSource> validation_source(const ExperimentSpec& spec,
                                                    DatasetCache& datasets) {
  const HeldOutTasks& tasks = spec.episodes.validation;
  const Json& block = block_for(spec, tasks.dataset);
  const DatasetPtr data = datasets.open(block);
  return has_split(data, view_of(block), "validation") ? held_out(data, block, tasks, "validation")
                                                       : nullptr;
}

PreparedAlgorithm prepare_algorithm(const ExperimentSpec& spec, std::shared_ptr<PathLog> paths) {
  const auto& algorithm = Registry<AlgorithmPlugin>::instance().find(spec.algorithm.at("name"));
  PreparedAlgorithm prepared{.facts = algorithm.facts, .backbone = nullptr, .algorithm = nullptr};
  if (algorithm.facts.uses_backbone) {
    BackbonePtr backbone =
        Registry<BackbonePlugin>::instance().find(spec.backbone.at("name")).make(spec.backbone);
    if (spec.start.weights) {
      const WeightSource source = find_weights(*spec.start.weights);
      StartWeights start = load_weights(source, spec.start.trainable);
      backbone = starting_from(std::move(backbone), std::move(start.given));
      prepared.weights_sha256 = start.sha256;
      prepared.weights_data = source.data;
    }
    prepared.backbone =
        with_kernels(std::move(backbone),
                     spec.kernels == "fast" ? Kernels::fast : Kernels::reference, std::move(paths));
  }
  prepared.algorithm = algorithm.make(spec.algorithm, prepared.backbone);
  return prepared;
}

Experiment open_experiment(const ExperimentSpec& spec, const torch::Device& device,
                           std::shared_ptr<PathLog> paths) {
  DatasetCache datasets;
  return open_experiment(spec, device, std::move(paths), datasets);
}

Experiment open_experiment(const ExperimentSpec& spec, const torch::Device& device,
                           std::shared_ptr<PathLog> paths, DatasetCache& datasets) {
  PreparedAlgorithm prepared = prepare_algorithm(spec, std::move(paths));
  Experiment experiment;
  experiment.spec = spec;
  experiment.facts = prepared.facts;
  experiment.backbone = prepared.backbone;
  experiment.algorithm = std::move(prepared.algorithm);
  if (!prepared.weights_sha256.empty()) experiment.weights_sha256 = {prepared.weights_sha256};
  experiment.started_from = prepared.weights_data.classes;
  experiment.compute = {.device = device,
                        .dtype = spec.dtype == "float64" ? torch::kDouble : torch::kFloat,
                        .task_mode = spec.train.task_mode,
                        .intra_op_threads = static_cast<int>(*spec.train.intra_op_threads)};
  const EpisodesSpec& episodes = spec.episodes;
  const Json& test_block = block_for(spec, episodes.test.dataset);
  experiment.test_data = datasets.open(test_block);
  experiment.test = held_out(experiment.test_data, test_block, episodes.test, "test");
  if (experiment.learns()) {
    const Json& train_block = block_for(spec, episodes.train.dataset);
    const Json& validation_block = block_for(spec, episodes.validation.dataset);
    experiment.train_data = datasets.open(train_block);
    experiment.train = training_source(spec, experiment.train_data, {"train"});
    count_epochs(experiment.spec, experiment.train.get());
    experiment.validation_data = datasets.open(validation_block);
    if (spec.train.validate_every > 0 &&
        has_split(experiment.validation_data, view_of(validation_block), "validation")) {
      experiment.validation =
          held_out(experiment.validation_data, validation_block, episodes.validation, "validation");
    }
    if (spec.train.retrain_extra) {
      experiment.retrain = training_source(spec, experiment.train_data, {"train", "validation"});
    }
  }
  check_tasks(experiment);
  experiment.leak = known_classes(experiment);
  if (spec.start.weights) fresh_weights(experiment);  // throws now where they do not fit
  check_retraining(spec);
  check_ensemble(experiment);
  resolve_selection(experiment);
  experiment.resolved = decisive(spec_to_json(experiment.spec), experiment.facts);
  experiment.data_sha256 = data_hashes(experiment);
  experiment.id = run_id(experiment.identity());
  return experiment;
}

void Experiment::check_data_unchanged() const {
  for (const DatasetPtr& data : {train_data, validation_data, test_data}) {
    if (data) data->check_unchanged();
  }
}

std::vector<std::string> Experiment::classes_learned() const {
  std::set<std::string> names(started_from.begin(), started_from.end());
  for (const auto* source : {&train, &retrain}) {
    if (*source) names.merge(class_names(**source, *train_data));
  }
  return {names.begin(), names.end()};
}

Training training_of(const Experiment& experiment, const std::filesystem::path& folder) {
  const ExperimentSpec& spec = experiment.spec;
  Training training;
  training.algorithm = experiment.algorithm.get();
  training.train = experiment.train;
  training.retrain = experiment.retrain;
  training.validation = experiment.validation;
  training.validation_tasks = spec.episodes.validation.count;
  training.validation_seed = spec.episodes.validation.seed;
  training.options = spec.train;
  training.optimizer = spec.optimizer;
  training.compute = experiment.compute;
  training.seed = spec.seed;
  training.log_every = spec.log.every;
  training.tensorboard = spec.log.tensorboard;
  training.folder = folder;
  training.check_inputs = [&experiment] { experiment.check_data_unchanged(); };
  return training;
}

ParamList fresh_weights(const Experiment& experiment) {
  const TaskSource& source = experiment.learns() ? *experiment.train : *experiment.test;
  return initial_weights(*experiment.algorithm, source.shapes(), experiment.spec.seed,
                         experiment.compute);
}

}  // namespace kshot
