#include "framework/run/evaluator.h"

#include <atomic>
#include <cmath>

#include "framework/base/error.h"
#include "framework/run/stop_signal.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/toy_learning.h"

namespace kshot::evaluator_test {

using test::ScriptedAlgorithm;
using test::ScriptedSource;

ScriptedAlgorithm model(ScriptedAlgorithm::Logits logits) {
  ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_logits = std::move(logits);
  return script;
}

Evaluation evaluate_with(int threads, const Algorithm& algorithm, const ParamList& weights,
                         const TaskSource& source, int64_t count, uint64_t seed = 0) {
  TaskEngine engine(threads);
  const auto evaluation =
      evaluate(engine, algorithm, weights, source, {.count = count, .seed = seed}, {});
  REQUIRE(evaluation.has_value());
  return *evaluation;
}

bool same(const Evaluation& a, const Evaluation& b) {
  if (a.episodes.size() != b.episodes.size()) return false;
  for (size_t i = 0; i < a.episodes.size(); ++i) {
    const EpisodeOutcome &x = a.episodes[i], &y = b.episodes[i];
    if (!(x.plan == y.plan) || x.predictions != y.predictions || x.accuracy != y.accuracy ||
        x.loss != y.loss)
      return false;
  }
  return a.episodes_sha256 == b.episodes_sha256 && a.accuracy.mean == b.accuracy.mean &&
         a.accuracy.ci95 == b.accuracy.ci95 && a.loss.mean == b.loss.mean &&
         a.ci95_classes == b.ci95_classes;
}

TEST_CASE("a model that says the same of every image scores exactly 1/N, with a loss of log N") {
  for (const int64_t way : {2, 5, 7}) {
    const ScriptedSource source(way, 3);
    const auto constant = model([&](const auto&, const Tensor& query, const auto&) {
      return torch::zeros({query.size(0), query.size(1), way}, torch::kDouble);
    });
    const Evaluation evaluation = evaluate_with(1, constant, constant.initial, source, 10);
    for (const EpisodeOutcome& episode : evaluation.episodes)
      CHECK(episode.accuracy == 1.0 / static_cast<double>(way));
    CHECK(evaluation.accuracy.mean ==
          doctest::Approx(1.0 / static_cast<double>(way)).epsilon(1e-15));
    CHECK(evaluation.loss.mean == doctest::Approx(std::log(way)).epsilon(1e-12));
    for (const int64_t predicted : evaluation.episodes[0].predictions) CHECK(predicted == 0);
  }
}

TEST_CASE("accuracy is the mean over episodes of the share of right answers") {
  // Of 10 queries, as many right as the task's number.
  const ScriptedSource source(2, 5);
  const auto script = model([](const auto&, const Tensor& query, const Context& context) {
    return test::right_for(query, static_cast<int64_t>(context.tasks[0]), 2);
  });
  const Evaluation evaluation = evaluate_with(2, script, script.initial, source, 5);
  REQUIRE(evaluation.episodes.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    CHECK(evaluation.episodes[i].plan == source.plan(i));
    CHECK(evaluation.episodes[i].accuracy ==
          doctest::Approx(static_cast<double>(i) / 10).epsilon(1e-15));
  }
  CHECK(evaluation.accuracy.mean == doctest::Approx(0.2).epsilon(1e-14));
  // Values 0, 0.1, 0.2, 0.3, 0.4: standard deviation sqrt(0.025).
  REQUIRE(evaluation.accuracy.std.has_value());
  CHECK(*evaluation.accuracy.std == doctest::Approx(std::sqrt(0.025)).epsilon(1e-12));
}

TEST_CASE(
    "real algorithms give the same bits twice, and with 1 and 2 threads; weights stay as they "
    "were") {
  const auto source = test::toy_tasks({"test"}, {.way = 5, .shot = 1, .query = 3});
  for (const std::string name : {"protonet", "test_adaptive", "nearest_pixel"}) {
    CAPTURE(name);
    const auto algorithm = test::small_algorithm(name);
    const ParamList weights =
        algorithm->init(source->shapes(), Stream(1, Purpose::initialisation, 0));
    const ParamList before = weights.clone();
    const Evaluation first = evaluate_with(1, *algorithm, weights, *source, 12);
    CHECK(same(first, evaluate_with(1, *algorithm, weights, *source, 12)));
    CHECK(same(first, evaluate_with(2, *algorithm, weights, *source, 12)));
    CHECK(test::same_bits(weights, before));
  }
}

TEST_CASE("an episode's outcome does not depend on how many are evaluated") {
  const auto source = test::toy_tasks({"test"}, {.way = 5, .shot = 1, .query = 3});
  const auto algorithm = test::small_algorithm("test_adaptive");
  const ParamList weights =
      algorithm->init(source->shapes(), Stream(1, Purpose::initialisation, 0));
  const Evaluation few = evaluate_with(1, *algorithm, weights, *source, 3),
                   more = evaluate_with(2, *algorithm, weights, *source, 8);
  for (size_t i = 0; i < few.episodes.size(); ++i) {
    CHECK(few.episodes[i].predictions == more.episodes[i].predictions);
    CHECK(few.episodes[i].loss == more.episodes[i].loss);
  }
}

TEST_CASE("the hash is that of the tasks evaluated") {
  const auto source = test::toy_tasks({"test"}, {.way = 5, .shot = 1, .query = 3});
  const auto floor = test::small_algorithm("nearest_pixel");
  CHECK(evaluate_with(1, *floor, {}, *source, 7).episodes_sha256 == plans_sha256(*source, 7));
}

TEST_CASE("the request's seed is that of the algorithm's own draws at test") {
  const ScriptedSource source(2, 2);
  std::vector<uint64_t> drawn;
  const auto script = model([&](const auto&, const Tensor& query, const Context& context) {
    drawn.push_back(context.stream(Purpose::algorithm, 0).next_u64());
    return test::right_for(query, 4, 2);
  });
  for (const uint64_t seed : {0, 0, 1}) evaluate_with(1, script, script.initial, source, 1, seed);
  CHECK(drawn[0] == drawn[1]);
  CHECK(drawn[0] != drawn[2]);
}

TEST_CASE("an algorithm sees the way of the task and no training") {
  const ScriptedSource source(3, 2);
  const auto script = model([](const auto&, const Tensor& query, const Context& context) {
    CHECK_FALSE(context.training);
    CHECK(query.sizes() == torch::IntArrayRef({1, 6, 1}));
    return test::right_for(query, 6, 3);
  });
  CHECK(evaluate_with(1, script, script.initial, source, 2).accuracy.mean == 1);
}

TEST_CASE("logits that are not finite end the evaluation as diverged, naming the task") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const ScriptedSource source(2, 2);
    const auto script = model([&](const auto&, const Tensor& query, const Context& context) {
      Tensor logits = test::right_for(query, 4, 2);
      if (context.tasks[0] == 3) logits[0][1][0] = bad;
      return logits;
    });
    const auto error = test::caught([&] { evaluate_with(2, script, script.initial, source, 6); });
    REQUIRE(error);
    CHECK(error->code() == Exit::diverged);
    CHECK(std::string(error->what()).find("test task 3") != std::string::npos);
  }
}

TEST_CASE("a stop signal ends the evaluation without a result") {
  const ScriptedSource source(2, 2);
  std::atomic<int> calls{0};
  const auto script = model([&](const auto&, const Tensor& query, const auto&) {
    if (++calls == 3) set_stop_requested(true);
    return test::right_for(query, 4, 2);
  });
  TaskEngine engine(1);
  const auto evaluation = evaluate(engine, script, script.initial, source, {.count = 100}, {});
  set_stop_requested(false);
  CHECK_FALSE(evaluation.has_value());
  CHECK(calls == 3);
}

TEST_CASE("progress counts up to the number of episodes") {
  const ScriptedSource source(2, 2);
  const auto script = model(
      [](const auto&, const Tensor& query, const auto&) { return test::right_for(query, 4, 2); });
  std::vector<int64_t> seen;
  TaskEngine engine(2);
  evaluate(engine, script, script.initial, source,
           {.count = 4, .progress = [&](int64_t done) { seen.push_back(done); }}, {});
  CHECK(seen == std::vector<int64_t>{1, 2, 3, 4});
}

TEST_CASE("an episode's source classes: a class and its rotations are one") {
  const std::vector<TaskClass> classes{{"a", 0}, {"b", 1}, {"a@90", 0}, {"b@90", 1}};
  EpisodeOutcome outcome;
  outcome.plan.classes = {2, 1, 0};
  CHECK(source_lists({outcome}, classes) == std::vector<std::vector<int64_t>>{{0, 1, 0}});
}

}  // namespace kshot::evaluator_test
