#include "framework/run/ensemble.h"

#include "framework/run/stop_signal.h"
#include "framework/run/trainer.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"

namespace kshot::ensemble_test {

using test::ScriptedAlgorithm;
using test::ScriptedSource;
using test::TemporaryFolder;

/// w is the number of steps done; validation finds `right[w]` of ten queries right.
ScriptedAlgorithm counting(std::vector<int64_t> right) {
  ScriptedAlgorithm script;
  script.initial = test::one_weight(1);
  script.on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
    return test::learned(torch::full({1}, -1.0F), tasks.tasks());
  };
  script.on_logits = [right = std::move(right)](const ParamList& weights, const Tensor& query,
                                                const Context&) {
    return test::right_for(query, right.at(static_cast<size_t>(weights["w"].item<float>())), 2);
  };
  return script;
}

Training training_of(const ScriptedAlgorithm& script, const TemporaryFolder& folder,
                     int64_t iterations, int64_t ensemble) {
  Training training;
  training.algorithm = &script;
  training.train = std::make_shared<ScriptedSource>();
  training.validation = std::make_shared<ScriptedSource>();
  training.validation_tasks = 2;
  training.options.iterations = iterations;
  training.options.validate_every = 1;
  training.options.ensemble = ensemble;
  training.optimizer.name = "sgd";
  training.optimizer.lr = 1;
  training.folder = folder.path();
  training.quiet = true;
  return training;
}

TrainingResult trained(const Training& training) {
  TaskEngine engine(1);
  return train(engine, training);
}

std::vector<std::string> files(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "checkpoints")) {
    if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_CASE("a ranking keeps the best, of equals the first") {
  ModelRanking ranking;
  CHECK(ranking.enter(1, 0.5, 2));
  CHECK(ranking.enter(2, 0.7, 2));
  CHECK_FALSE(ranking.enter(3, 0.7, 2));
  CHECK(ranking.iterations == std::vector<int64_t>{1, 2});
  CHECK(ranking.enter(4, 0.5, 2));
  CHECK(ranking.iterations == std::vector<int64_t>{1, 4});
  CHECK(ranking.enter(5, 0.1, 2));
  CHECK(ranking.iterations == std::vector<int64_t>{5, 1});
  CHECK(ranking.values == std::vector<double>{0.1, 0.5});
}

TEST_CASE("training keeps the models of an ensemble, best first, and no others") {
  const ScriptedAlgorithm script = counting({0, 5, 8, 6, 8, 7});
  const TemporaryFolder folder;
  const TrainingResult result = trained(training_of(script, folder, 5, 3));
  CHECK(result.ensemble_iterations == std::vector<int64_t>{2, 4, 5});
  REQUIRE(result.models.size() == 3);
  CHECK(result.models[0]["w"].item<float>() == 2);
  CHECK(result.models[1]["w"].item<float>() == 4);
  CHECK(result.models[2]["w"].item<float>() == 5);
  CHECK(files(folder) ==
        std::vector<std::string>{"best", "best-2", "best-4", "best-5", "last", "last.previous"});
}

TEST_CASE("an ensemble of one leaves the checkpoints that a training leaves without") {
  const ScriptedAlgorithm script = counting({0, 5, 8, 6});
  const TemporaryFolder folder;
  const TrainingResult result = trained(training_of(script, folder, 3, 1));
  CHECK(result.ensemble_iterations.empty());
  CHECK(result.models.size() == 1);
  CHECK(files(folder) == std::vector<std::string>{"best", "last", "last.previous"});
}

TEST_CASE("a resumed training has the ensemble of the whole one") {
  const ScriptedAlgorithm script = counting({0, 5, 8, 6, 8, 7});
  const TemporaryFolder whole, parts;
  const TrainingResult at_once = trained(training_of(script, whole, 5, 2));
  ScriptedAlgorithm interrupted = script;
  interrupted.on_learn = [&](const ParamList& weights, const Episodes& tasks,
                             const Context& context) {
    set_stop_requested(context.iteration == 2);
    return script.on_learn(weights, tasks, context);
  };
  CHECK(trained(training_of(interrupted, parts, 5, 2)).stopped);
  set_stop_requested(false);
  Training rest = training_of(script, parts, 5, 2);
  rest.resume = true;
  const TrainingResult resumed = trained(rest);
  CHECK(resumed.ensemble_iterations == at_once.ensemble_iterations);
  CHECK(files(parts) == files(whole));
}

TEST_CASE("the models answer by the mean of their logits") {
  ScriptedAlgorithm script;
  script.on_logits = [](const ParamList& weights, const Tensor& query, const Context&) {
    return weights["w"] * torch::ones({1, query.size(1), 2});
  };
  std::vector<ParamList> models;
  for (const double w : {1.0, 2.0, 6.0}) {
    ParamList params;
    params.add({"w", torch::full({1}, w)});
    models.push_back(params);
  }
  const Labelled support{torch::zeros({1, 2, 1}), torch::zeros({1, 2}, torch::kLong)};
  const auto learner = adapt_together(script, models, support, {{1}, 2}, {});
  const Tensor query = torch::zeros({1, 3, 1});
  CHECK(torch::allclose(learner->logits(query), torch::full({1, 3, 2}, 3.0)));
  REQUIRE(learner->logits_by_step(query).size() == 1);
  CHECK(torch::allclose(learner->logits_by_step(query)[0], torch::full({1, 3, 2}, 3.0)));
  const auto alone = adapt_together(script, std::span(models).first(1), support, {{1}, 2}, {});
  CHECK(torch::equal(alone->logits(query), torch::ones({1, 3, 2})));
}

}  // namespace kshot::ensemble_test
