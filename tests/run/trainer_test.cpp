#include "framework/run/trainer.h"

#include <fstream>

#include "framework/base/error.h"
#include "framework/run/evaluator.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/small_training.h"
#include "tests/run/toy_learning.h"

namespace kshot::trainer_test {

using test::caught;
using test::learned;
using test::metrics;
using test::ScriptedAlgorithm;
using test::ScriptedSource;
using test::TemporaryFolder;
using test::toy_training;
using test::train_with;

// ---- worked numbers, on a model of one weight vector

/// Plain SGD with rate 1: a step is minus the gradient. One task an iteration, no validation.
Training scripted_training(const ScriptedAlgorithm& script, const TemporaryFolder& folder,
                           int64_t iterations) {
  Training training;
  training.algorithm = &script;
  training.train = std::make_shared<ScriptedSource>();
  training.options.iterations = iterations;
  training.options.validate_every = 0;
  training.optimizer.name = "sgd";
  training.optimizer.lr = 1;
  training.log_every = 1;
  training.folder = folder.path();
  training.quiet = true;
  return training;
}

/// Every task has this gradient.
ScriptedAlgorithm constant_gradient(const std::vector<float>& gradient) {
  ScriptedAlgorithm script;
  script.initial = test::one_weight(static_cast<int64_t>(gradient.size()));
  script.on_learn = [gradient](const ParamList&, const Episodes& tasks, const Context&) {
    return learned(torch::tensor(gradient), tasks.tasks());
  };
  return script;
}

std::vector<float> w_of(const TrainingResult& result) {
  const Tensor w = result.models[0]["w"].contiguous();
  return {w.data_ptr<float>(), w.data_ptr<float>() + w.numel()};
}

using Vector = std::vector<float>;

TEST_CASE("a step goes against the mean of the tasks' gradients: 1x4 tasks are 4 tasks in one") {
  // Task i has gradient i + 1: iteration 0 has the mean 2.5, iteration 1 the mean 6.5.
  ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
    double sum = 0;
    for (const TaskPlan& plan : tasks.plans) sum += static_cast<double>(plan.index) + 1;
    TaskGradients result = learned(torch::zeros({1}), tasks.tasks());
    (result.gradients.begin())->value = torch::full({1}, sum);
    return result;
  };
  for (const std::string mode : {"threads", "batched"}) {
    const TemporaryFolder folder;
    Training training = scripted_training(script, folder, 2);
    training.options.meta_batch = 4;
    training.compute.task_mode = mode;
    CHECK(w_of(train_with(2, training)) == Vector{-9});
  }
}

TEST_CASE("gradients are clipped by value, on the mean") {
  // Sums 6 and -10 of two tasks: means 3 and -5.
  const ScriptedAlgorithm script = constant_gradient({3, -5});
  const TemporaryFolder folder;
  Training training = scripted_training(script, folder, 1);
  training.options.meta_batch = 2;
  training.options.clip_value = 4;
  CHECK(w_of(train_with(1, training)) == Vector{-3, 4});
}

TEST_CASE("gradients are clipped by the norm of all of them together, after the values") {
  const auto step = [](const Vector& gradient, std::optional<double> value,
                       std::optional<double> norm) {
    const ScriptedAlgorithm script = constant_gradient(gradient);
    const TemporaryFolder folder;
    Training training = scripted_training(script, folder, 1);
    training.options.clip_value = value;
    training.options.clip_norm = norm;
    return w_of(train_with(1, training));
  };
  CHECK(step({3, -4}, {}, 2.5) == Vector{-1.5, 2});  // norm 5, halved
  CHECK(step({3, -4}, {}, 5.0) == Vector{-3, 4});    // not above the limit
  CHECK(step({3, -40}, 4.0, 2.5) == Vector{-1.5, 2});
}

TEST_CASE("running statistics follow what tasks met, task by task, by the momentum") {
  // From 0, tasks met 1 and 2: 0.1, then 0.9 * 0.1 + 0.1 * 2 = 0.29. The next step's tasks met 3
  // and 4.
  ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.initial.add({"mean", torch::zeros({1}, torch::kDouble), Role::buffer});
  script.on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
    TaskGradients result = learned(torch::zeros({1}), tasks.tasks());
    std::vector<double> met;
    for (const TaskPlan& plan : tasks.plans) met.push_back(static_cast<double>(plan.index) + 1);
    result.statistics.add({"mean", torch::tensor(met, torch::kDouble).unsqueeze(1), Role::buffer});
    return result;
  };
  for (const std::string mode : {"threads", "batched"}) {
    for (const int64_t iterations : {1, 2}) {
      const double expected = iterations == 1 ? 0.29 : (0.29 * 0.9 + 0.3) * 0.9 + 0.4;
      const TemporaryFolder folder;
      Training training = scripted_training(script, folder, iterations);
      training.options.meta_batch = 2;
      training.compute.task_mode = mode;
      training.compute.dtype = torch::kDouble;
      CHECK(train_with(2, training).models[0]["mean"].item<double>() ==
            doctest::Approx(expected).epsilon(1e-13));
    }
  }
  const TemporaryFolder folder;
  Training training = scripted_training(script, folder, 1);
  training.options.statistics_momentum = 1;
  CHECK(train_with(1, training).models[0]["mean"].item<double>() == 1);
}

TEST_CASE("iteration i learns from the tasks i * meta_batch onwards, at the rate of iteration i") {
  ScriptedAlgorithm script;
  script.initial = test::one_weight();
  std::vector<uint64_t> seen;
  std::vector<int64_t> iterations;
  script.on_learn = [&](const ParamList&, const Episodes& tasks, const Context& context) {
    CHECK(context.training);
    CHECK(context.iterations == 3);
    CHECK(context.seed == 11);
    iterations.push_back(context.iteration);
    seen.push_back(tasks.plans[0].index);
    return learned(torch::full({1}, -1.0), tasks.tasks());
  };
  const TemporaryFolder folder;
  Training training = scripted_training(script, folder, 3);
  training.options.meta_batch = 2;
  training.optimizer.schedule = {.name = "step", .every = 1, .factor = 0.5};
  training.seed = 11;
  CHECK(w_of(train_with(1, training)) == Vector{1.75});
  CHECK(seen == std::vector<uint64_t>{0, 1, 2, 3, 4, 5});
  CHECK(iterations == std::vector<int64_t>{0, 0, 1, 1, 2, 2});
  const std::vector<Json> lines = metrics(folder);
  REQUIRE(lines.size() == 3);
  CHECK(lines[2] == Json{{"phase", "train"},
                         {"iteration", 3},
                         {"lr", 0.25},
                         {"train", {{"loss", 1.0}, {"accuracy", 0.5}}}});
}

TEST_CASE(
    "a log line is the mean over the tasks since the last one; the last iteration has a line of "
    "its own") {
  ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
    const auto index = static_cast<double>(tasks.plans[0].index);
    return learned(torch::zeros({1}), tasks.tasks(), index, index / 10);
  };
  const TemporaryFolder folder;
  Training training = scripted_training(script, folder, 5);
  training.options.meta_batch = 2;
  training.log_every = 2;
  train_with(1, training);
  const std::vector<Json> lines = metrics(folder);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["train"]["loss"].get<double>() == 1.5);  // tasks 0 to 3
  CHECK(lines[0]["train"]["accuracy"].get<double>() == doctest::Approx(0.15).epsilon(1e-6));
  CHECK(lines[1]["train"]["loss"].get<double>() == 5.5);  // 4 to 7
  CHECK(lines[2]["train"]["loss"].get<double>() == 8.5);  // 8 and 9
  CHECK(lines[2]["iteration"] == 5);
}

// ---- validation and the choice of weights

/// w is the number of steps done; validation finds `right[w]` of 10 queries right.
ScriptedAlgorithm with_validation(std::vector<int64_t> right) {
  ScriptedAlgorithm script = constant_gradient({-1});
  script.on_logits = [right = std::move(right)](const ParamList& weights, const Tensor& query,
                                                const Context& context) {
    CHECK_FALSE(context.training);
    return test::right_for(query, right.at(static_cast<size_t>(weights["w"].item<float>())), 2);
  };
  return script;
}

Training validated_training(const ScriptedAlgorithm& script, const TemporaryFolder& folder,
                            int64_t iterations) {
  Training training = scripted_training(script, folder, iterations);
  training.validation = std::make_shared<ScriptedSource>();
  training.validation_tasks = 3;
  training.options.validate_every = 1;
  return training;
}

TEST_CASE("the weights of the best validation come out; of equals the first") {
  const ScriptedAlgorithm script = with_validation({0, 5, 8, 6, 8, 7});
  const TemporaryFolder folder;
  const TrainingResult result = train_with(1, validated_training(script, folder, 5));
  CHECK(w_of(result) == Vector{2});
  CHECK(result.best_iteration == 2);
  REQUIRE(result.best_validation_accuracy.has_value());
  CHECK(*result.best_validation_accuracy == doctest::Approx(0.8).epsilon(1e-12));
  CHECK(result.iterations == 5);
  CHECK_FALSE(result.stopped);
  CHECK(
      load_checkpoint(folder / "checkpoints", "last", script.initial).weights["w"].item<float>() ==
      5);
}

TEST_CASE("the choice may be by loss") {
  // One more answer is right at each step, but at the fourth the model is far too sure of its one
  // mistake.
  ScriptedAlgorithm script = constant_gradient({-1});
  script.on_logits = [](const ParamList& weights, const Tensor& query, const Context&) {
    const float w = weights["w"].item<float>();
    return test::right_for(query, static_cast<int64_t>(w) + 5, 2) * (w == 4 ? 20 : 4);
  };
  for (const std::string by : {"accuracy", "loss"}) {
    const TemporaryFolder folder;
    Training training = validated_training(script, folder, 4);
    training.options.select_by = by;
    const TrainingResult result = train_with(1, training);
    CHECK(result.best_iteration == (by == "accuracy" ? 4 : 3));
  }
}

TEST_CASE("patience counts validations without improvement") {
  const ScriptedAlgorithm script = with_validation({0, 5, 6, 7, 9, 8, 9, 7, 10, 10, 10});
  const TemporaryFolder folder;
  Training training = validated_training(script, folder, 10);
  training.options.patience = 3;
  const TrainingResult result = train_with(1, training);
  CHECK(result.iterations == 7);
  CHECK(w_of(result) == Vector{4});
}

TEST_CASE("validation comes every so many iterations, and at the end") {
  const ScriptedAlgorithm script = with_validation({0, 1, 2, 3, 4, 5, 6, 7});
  const TemporaryFolder folder;
  Training training = validated_training(script, folder, 7);
  training.options.validate_every = 3;
  train_with(1, training);
  std::vector<int64_t> at;
  for (const Json& line : metrics(folder)) {
    if (line.contains("validation")) at.push_back(line["iteration"].get<int64_t>());
  }
  CHECK(at == std::vector<int64_t>{3, 6, 7});
}

TEST_CASE("without validation the last weights come out") {
  const ScriptedAlgorithm script = constant_gradient({-1});
  const TemporaryFolder folder;
  const TrainingResult result = train_with(1, scripted_training(script, folder, 4));
  CHECK(w_of(result) == Vector{4});
  CHECK(result.best_iteration == 4);
  CHECK_FALSE(result.best_validation_accuracy.has_value());
}

TEST_CASE("no iterations: the first weights come out, with a validation or without") {
  const ScriptedAlgorithm script = with_validation({0, 1});
  for (const bool validating : {false, true}) {
    const TemporaryFolder folder;
    const TrainingResult result = train_with(1, validating ? validated_training(script, folder, 0)
                                                           : scripted_training(script, folder, 0));
    CHECK(w_of(result) == Vector{0});
    CHECK(result.iterations == 0);
  }
}

TEST_CASE("retraining starts again on its own tasks, for the best length and some more") {
  ScriptedAlgorithm script = with_validation({0, 5, 6, 9, 8, 7, 6});
  script.on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
    // Tasks for retraining have three ways: their gradient is another.
    return learned(torch::full({1}, tasks.outputs == 3 ? -10.0 : -1.0), tasks.tasks());
  };
  const TemporaryFolder folder;
  Training training = validated_training(script, folder, 6);
  training.retrain = std::make_shared<ScriptedSource>(3);
  training.options.retrain_extra = 2;
  const TrainingResult result = train_with(1, training);
  CHECK(result.best_iteration == 3);
  CHECK(w_of(result) == Vector{50});  // 3 + 2 steps of 10, from zero
  std::vector<int64_t> retrained;
  for (const Json& line : metrics(folder)) {
    if (line["phase"] == "retrain") {
      CHECK_FALSE(line.contains("validation"));
      retrained.push_back(line["iteration"].get<int64_t>());
    }
  }
  CHECK(retrained == std::vector<int64_t>{1, 2, 3, 4, 5});
}

// ---- divergence

TEST_CASE(
    "a loss that is not finite ends training as diverged, naming iteration and task; what was "
    "saved stays") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    ScriptedAlgorithm script = with_validation({0, 5, 5, 5, 5});
    script.on_learn = [bad](const ParamList&, const Episodes& tasks, const Context& context) {
      const bool here = context.iteration == 2 && tasks.plans[0].index == 2 * 4 + 3;
      return learned(torch::full({1}, -1.0), tasks.tasks(), here ? bad : 1.0);
    };
    const TemporaryFolder folder;
    Training training = validated_training(script, folder, 4);
    training.options.meta_batch = 4;
    const auto error = caught([&] { train_with(2, training); });
    REQUIRE(error);
    CHECK(error->code() == Exit::diverged);
    const std::string message = error->what();
    CHECK(message.find("iteration 3") != std::string::npos);
    CHECK(message.find("task 3") != std::string::npos);
    CHECK(load_checkpoint(folder / "checkpoints", "last", script.initial)
              .weights["w"]
              .item<float>() == 2);
  }
}

// ---- checkpoints

TEST_CASE("a checkpoint comes every 500 iterations, however rare validations are") {
  ScriptedAlgorithm script = with_validation(std::vector<int64_t>(600, 5));
  const auto learn = script.on_learn;
  script.on_learn = [&](const ParamList& weights, const Episodes& tasks, const Context& context) {
    if (context.iteration == 550) throw std::runtime_error("killed");
    return learn(weights, tasks, context);
  };
  const TemporaryFolder folder;
  Training training = validated_training(script, folder, 600);
  training.options.validate_every = 10000;
  CHECK_THROWS_WITH(train_with(1, training), "killed");
  CHECK(
      load_checkpoint(folder / "checkpoints", "last", script.initial).weights["w"].item<float>() ==
      500);
}

// ---- real learning

TEST_CASE("1 and 2 task threads give the same bits of final weights and metrics") {
  for (const std::string name : {"protonet", "test_adaptive"}) {
    CAPTURE(name);
    const auto algorithm = test::small_algorithm(name);
    const TemporaryFolder one, two;
    Training training = toy_training(*algorithm, one);
    training.options.meta_batch = 7;
    const TrainingResult with_one = train_with(1, training);
    training.folder = two.path();
    CHECK(test::same_bits(with_one.models[0], train_with(2, training).models[0]));
    CHECK(metrics(one) == metrics(two));
  }
}

TEST_CASE("other seeds begin with other weights; the same seed with the same") {
  const auto algorithm = test::small_algorithm("protonet");
  const Shapes shapes{{1, 8, 8}, 4};
  CHECK(test::same_bits(initial_weights(*algorithm, shapes, 1, {}),
                        initial_weights(*algorithm, shapes, 1, {})));
  CHECK_FALSE(test::same_bits(initial_weights(*algorithm, shapes, 1, {}),
                              initial_weights(*algorithm, shapes, 2, {})));
  CHECK(
      initial_weights(*algorithm, shapes, 1, {.dtype = torch::kDouble}).at(0).value.scalar_type() ==
      torch::kDouble);
}

struct Learning {
  double first_loss, last_loss, untrained, trained;
};

/// Trains on the toy data and tests on classes never seen: 4-way 1-shot.
Learning learn_toys(const std::string& name, int64_t iterations, int64_t meta_batch, double lr) {
  const auto algorithm = test::small_algorithm(name);
  const TemporaryFolder folder;
  const EpisodeShape shape{.way = 4, .shot = 1, .query = 5};
  Training training;
  training.algorithm = algorithm.get();
  const bool minibatches =
      Registry<AlgorithmPlugin>::instance().find(name).facts.feeds == Feeds::minibatches;
  const test::ToyOptions many{.train = 64};
  if (minibatches) {
    training.train = test::toy_batches({"train"}, many);
  } else {
    training.train = test::toy_tasks({"train"}, shape, 1, many);
  }
  training.options.iterations = iterations;
  training.options.meta_batch = meta_batch;
  training.options.validate_every = 0;
  training.optimizer.lr = lr;
  training.log_every = iterations / 4;
  training.folder = folder.path();
  training.quiet = true;
  const auto tests = test::toy_tasks({"test"}, shape, 0, many);
  TaskEngine engine(1);
  const auto accuracy = [&](const ParamList& weights) {
    return evaluate(engine, *algorithm, weights, *tests, {.count = 200}, {})->accuracy.mean;
  };
  const double untrained =
      accuracy(initial_weights(*algorithm, training.train->shapes(), training.seed, {}));
  const TrainingResult result = train(engine, training);
  const std::vector<Json> lines = metrics(folder);
  return {lines.front()["train"]["loss"], lines.back()["train"]["loss"], untrained,
          accuracy(result.models[0])};
}

TEST_CASE(
    "ProtoNet, a gradient-adaptive and a minibatch algorithm learn the toy data to a stated "
    "accuracy on new classes") {
  struct Case {
    std::string name;
    int64_t iterations, meta_batch;
    double lr, accuracy;
  };
  for (const Case& c :
       {Case{"protonet", 400, 1, 3e-3, 0.9}, Case{"test_adaptive", 300, 4, 1e-2, 0.8},
        Case{"test_minibatch", 400, 1, 3e-3, 0.9}}) {
    CAPTURE(c.name);
    const Learning progress = learn_toys(c.name, c.iterations, c.meta_batch, c.lr);
    MESSAGE(c.name, ": loss ", progress.first_loss, " -> ", progress.last_loss, ", accuracy ",
            progress.untrained, " -> ", progress.trained);
    CHECK(progress.last_loss < 0.7 * progress.first_loss);
    CHECK(progress.trained >= c.accuracy);
    CHECK(progress.trained >= progress.untrained + 0.1);
  }
}

}  // namespace kshot::trainer_test
