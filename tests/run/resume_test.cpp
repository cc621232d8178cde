// Trainings that were stopped, killed or damaged go on to the bits of one that was not.
#include <atomic>
#include <fstream>

#include "framework/base/error.h"
#include "framework/run/stop_signal.h"
#include "tests/base/caught.h"
#include "tests/base/kill.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/small_training.h"

namespace kshot::resume_test {

using test::caught;
using test::metrics;
using test::TemporaryFolder;
using test::toy_training;
using test::train_with;

/// Another algorithm that asks for a stop in its n-th call, as a signal would.
class Interrupted final : public Algorithm {
 public:
  Interrupted(const Algorithm& inner, int learn_call, int adapt_call = 0)
      : inner_(inner), learn_call_(learn_call), adapt_call_(adapt_call) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    return inner_.init(shapes, stream);
  }
  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override {
    if (++learned_ == learn_call_) set_stop_requested(true);
    return inner_.learn(weights, tasks, context);
  }
  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context& context) const override {
    if (++adapted_ == adapt_call_) set_stop_requested(true);
    return inner_.adapt(weights, support, shapes, context);
  }
  bool transductive() const override { return inner_.transductive(); }

 private:
  const Algorithm& inner_;
  int learn_call_, adapt_call_;
  mutable std::atomic<int> learned_{0}, adapted_{0};
};

TEST_CASE(
    "a stop request ends training after the current step, and a resume gives the same bits as no "
    "stop") {
  for (const std::string name : {"protonet", "test_adaptive"}) {
    const auto algorithm = test::small_algorithm(name);
    const TemporaryFolder whole_folder;
    const TrainingResult whole = train_with(1, toy_training(*algorithm, whole_folder));
    const std::vector<Json> whole_metrics = metrics(whole_folder);
    // In learning at the start, in the middle of a log window and of a meta-batch, and in the
    // retraining; in validation in the first and in a later one.
    struct Call {
      int learn, adapt;
    };
    for (const Call& call : {Call{1, 0}, Call{2, 0}, Call{5, 0}, Call{10, 0}, Call{16, 0},
                             Call{18, 0}, Call{21, 0}, Call{0, 2}, Call{0, 8}, Call{0, 15}}) {
      CAPTURE(name);
      CAPTURE(call.learn);
      CAPTURE(call.adapt);
      const TemporaryFolder folder;
      const Interrupted interrupted(*algorithm, call.learn, call.adapt);
      const TrainingResult stopped = train_with(1, toy_training(interrupted, folder));
      set_stop_requested(false);
      CHECK(stopped.stopped);
      if (call.adapt == 0 && call.learn <= 18) CHECK(stopped.iterations == (call.learn + 1) / 2);
      Training rest = toy_training(*algorithm, folder);
      rest.resume = true;
      const TrainingResult resumed = train_with(2, rest);
      CHECK_FALSE(resumed.stopped);
      CHECK(test::same_bits(resumed.models[0], whole.models[0]));
      CHECK(resumed.best_iteration == whole.best_iteration);
      CHECK(resumed.best_validation_accuracy == whole.best_validation_accuracy);
      CHECK(metrics(folder) == whole_metrics);
    }
  }
}

TEST_CASE("a resume after a kill goes back to the last checkpoint and gives the same bits") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder whole_folder, folder;
  const TrainingResult whole = train_with(1, toy_training(*algorithm, whole_folder));
  // A kill at iteration 7: the run throws there, three steps after the checkpoint of iteration 4.
  class Killed final : public test::ScriptedSource {
   public:
    explicit Killed(std::shared_ptr<const TaskSource> source) : source_(std::move(source)) {}
    TaskPlan plan(uint64_t index) const override { return source_->plan(index); }
    Episodes load(std::span<const TaskPlan> plans) const override {
      if (plans[0].index >= 14) throw std::runtime_error("killed");
      return source_->load(plans);
    }
    Shapes shapes() const override { return source_->shapes(); }

   private:
    std::shared_ptr<const TaskSource> source_;
  };
  Training killed = toy_training(*algorithm, folder);
  killed.train = std::make_shared<Killed>(killed.train);
  CHECK_THROWS_WITH(train_with(1, killed), "killed");
  Training rest = toy_training(*algorithm, folder);
  rest.resume = true;
  CHECK(test::same_bits(train_with(1, rest).models[0], whole.models[0]));
  CHECK(metrics(folder) == metrics(whole_folder));
}

TEST_CASE(
    "resuming a finished training changes nothing, and a resume without a checkpoint begins") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder folder;
  Training training = toy_training(*algorithm, folder);
  training.resume = true;
  const TrainingResult first = train_with(1, training);
  const std::string last = read_file(folder / "checkpoints" / "last.safetensors"),
                    log = read_file(folder / "metrics.jsonl");
  const TrainingResult again = train_with(1, training);
  CHECK(test::same_bits(first.models[0], again.models[0]));
  CHECK(read_file(folder / "checkpoints" / "last.safetensors") == last);
  CHECK(read_file(folder / "metrics.jsonl") == log);
}

TEST_CASE("a resume with an optimiser of another kind is refused") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder folder;
  const Interrupted interrupted(*algorithm, 3);
  train_with(1, toy_training(interrupted, folder));
  set_stop_requested(false);
  Training training = toy_training(*algorithm, folder);
  training.resume = true;
  training.optimizer.name = "sgd";
  const auto error = caught([&] { train_with(1, training); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
}

/// What a training that goes on in `folder`, with two threads, must have in common with a whole
/// one.
void check_goes_on(Training rest, const TemporaryFolder& folder, const TrainingResult& whole,
                   const std::vector<Json>& whole_metrics) {
  rest.folder = folder.path();
  rest.resume = true;
  const TrainingResult resumed = train_with(2, rest);
  CHECK_FALSE(resumed.stopped);
  CHECK(test::same_bits(resumed.models[0], whole.models[0]));
  CHECK(resumed.best_iteration == whole.best_iteration);
  CHECK(metrics(folder) == whole_metrics);
}

TEST_CASE("every registered algorithm goes on to the same bits, with other threads than before") {
  const auto& registry = Registry<AlgorithmPlugin>::instance();
  for (const std::string& name : registry.names()) {
    const AlgorithmFacts& facts = registry.find(name).facts;
    if (facts.feeds == Feeds::nothing) continue;
    CAPTURE(name);
    const auto algorithm = test::small_algorithm(
        name, facts.needs_map ? Json{{"features", "map"}, {"reduced_blocks", 0}} : Json::object());
    const TemporaryFolder whole_folder, folder;
    Training training = toy_training(*algorithm, whole_folder);
    if (facts.feeds == Feeds::minibatches) {
      training.train = test::toy_batches({"train"});
      training.retrain = nullptr;  // of more classes, which the weights have no outputs for
      training.options.meta_batch = 1;
    }
    const TrainingResult whole = train_with(1, training);
    const Interrupted interrupted(*algorithm, 5 * static_cast<int>(training.options.meta_batch));
    Training first = training;
    first.algorithm = &interrupted;
    first.folder = folder.path();
    CHECK(train_with(1, first).stopped);
    set_stop_requested(false);
    check_goes_on(training, folder, whole, metrics(whole_folder));
  }
}

TEST_CASE("every optimiser and schedule goes on to the same bits") {
  const auto algorithm = test::small_algorithm("protonet");
  std::vector<OptimizerOptions> optimizers(5);
  for (OptimizerOptions& options : optimizers) options.lr = 1e-2;
  optimizers[0].weight_decay = 1e-2;
  optimizers[1].name = "adamw";
  optimizers[1].schedule.name = "linear";
  for (size_t i = 2; i < 5; ++i) optimizers[i].name = "sgd";
  optimizers[3].momentum = 0.9;
  optimizers[3].dampening = 0.5;
  optimizers[4].momentum = 0.9;
  optimizers[4].nesterov = true;
  optimizers[4].schedule.name = "step";
  optimizers[4].schedule.every = 2;
  for (const OptimizerOptions& options : optimizers) {
    CAPTURE(options.name);
    CAPTURE(options.momentum);
    const TemporaryFolder whole_folder, folder;
    Training training = toy_training(*algorithm, whole_folder);
    training.optimizer = options;
    const TrainingResult whole = train_with(1, training);
    const Interrupted interrupted(*algorithm, 11);
    Training first = training;
    first.algorithm = &interrupted;
    first.folder = folder.path();
    CHECK(train_with(2, first).stopped);
    set_stop_requested(false);
    check_goes_on(training, folder, whole, metrics(whole_folder));
  }
}

TEST_CASE("SIGKILL at any stage of any writing loses nothing that a resume needs") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder whole_folder;
  const TrainingResult whole = train_with(1, toy_training(*algorithm, whole_folder));
  const std::vector<Json> whole_metrics = metrics(whole_folder);
  constexpr int kStride = 5;  // with the 13 places of one saving every one of them comes up
  int killed = 0;
  for (int n = 1;; n += kStride) {
    CAPTURE(n);
    const TemporaryFolder folder;
    Training training = toy_training(*algorithm, folder);
    training.resume = true;
    if (!test::killed_at(n, [&] { train_with(1, training); })) break;
    ++killed;
    // And once more, while it goes on.
    test::killed_at(n / 2 + 3, [&] { train_with(1, training); });
    check_goes_on(training, folder, whole, whole_metrics);
  }
  CHECK(killed > 15);
}

TEST_CASE("an ensemble goes on to the same models after SIGKILL") {
  const auto algorithm = test::small_algorithm("protonet");
  const auto training_in = [&](const TemporaryFolder& folder) {
    Training training = toy_training(*algorithm, folder);
    training.options.validate_every = 1;
    training.options.retrain_extra = std::nullopt;
    training.options.ensemble = 3;
    training.resume = true;
    return training;
  };
  const TemporaryFolder whole_folder;
  const TrainingResult whole = train_with(1, training_in(whole_folder));
  REQUIRE(whole.models.size() == 3);
  for (int n = 20;; n += 37) {
    CAPTURE(n);
    const TemporaryFolder folder;
    if (!test::killed_at(n, [&] { train_with(1, training_in(folder)); })) break;
    const TrainingResult resumed = train_with(1, training_in(folder));
    REQUIRE(resumed.models.size() == 3);
    for (size_t i = 0; i < 3; ++i) CHECK(test::same_bits(resumed.models[i], whole.models[i]));
    CHECK(resumed.ensemble_iterations == whole.ensemble_iterations);
  }
}

TEST_CASE("a damaged last checkpoint: the one before goes on to the same bits, and says so") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder whole_folder, folder;
  const TrainingResult whole = train_with(1, toy_training(*algorithm, whole_folder));
  const Interrupted interrupted(*algorithm, 15);
  train_with(1, toy_training(interrupted, folder));
  set_stop_requested(false);
  const auto last = folder / "checkpoints" / "last.safetensors";
  std::string bytes = read_file(last);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  std::ofstream(last, std::ios::binary) << bytes;
  check_goes_on(toy_training(*algorithm, folder), folder, whole, metrics(whole_folder));
}

TEST_CASE("data that changed are never saved as learned from") {
  const auto algorithm = test::small_algorithm("protonet");
  const TemporaryFolder folder;
  Training training = toy_training(*algorithm, folder);
  int savings = 0;
  training.check_inputs = [&] {
    if (++savings == 3) throw Error(Exit::bad_data, "changed");
  };
  CHECK(caught([&] { train_with(1, training); })->code() == Exit::bad_data);
  const Json state = Json::parse(read_file(folder / "checkpoints" / "last.json"))["state"];
  CHECK(state["iteration"] == 4);  // best and last of iteration 4; of 8 none
}

}  // namespace kshot::resume_test
