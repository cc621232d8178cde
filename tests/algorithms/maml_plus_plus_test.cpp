#include "algorithms/multi_step_loss.h"
#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot::maml_plus_plus_test {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

TEST_CASE("the importance of each step's loss over epochs is the reference code's") {
  const auto check = [](int64_t epoch, double others, double last) {
    const std::vector<double> importance = step_importance(5, 10, epoch);
    for (size_t i = 0; i < 4; ++i) CHECK(importance[i] == doctest::Approx(others).epsilon(1e-12));
    CHECK(importance[4] == doctest::Approx(last).epsilon(1e-12));
    double sum = 0;
    for (const double each : importance) sum += each;
    CHECK(sum == doctest::Approx(1).epsilon(1e-12));
  };
  check(0, 0.2, 0.2);
  check(1, 0.18, 0.28);
  check(5, 0.1, 0.6);
  check(10, 0.006, 0.976);
  check(50, 0.006, 0.976);
}

Json block(const Json& changes) {
  Json all{{"name", "maml_plus_plus"}, {"inner_steps", 3}, {"epoch", 10}};
  all.update(changes);
  return all;
}

/// Gradients of what all variants have, at one iteration.
ParamList shared_gradients(const Json& changes, int64_t iteration) {
  const TinyMethod method(block(changes));
  ParamList shared;
  for (const Param& gradient : method.learn(random_tasks(1), iteration).gradients) {
    if (gradient.name.starts_with("inner_lr.") || gradient.name.find(".norm.") != std::string::npos)
      continue;
    shared.add(gradient);
  }
  return shared;
}

TEST_CASE("each switch changes what is learned") {
  // Iteration 25 is in epoch 2.
  const ParamList all = shared_gradients(Json::object(), 25);
  CHECK(relative_difference(shared_gradients({{"multi_step_loss", false}}, 25), all) > 1e-3);
  CHECK(relative_difference(shared_gradients({{"second_order", false}}, 25), all) > 1e-3);
  // Step sizes and norms begin alike for all steps, so these show in what there is to learn.
  const TinyMethod with(block(Json::object())), without_rates(block({{"learned_rates", false}})),
      without_norms(block({{"per_step_norm", false}}));
  CHECK(with.weights.find("inner_lr.head.weight") != nullptr);
  CHECK(without_rates.weights.find("inner_lr.head.weight") == nullptr);
  CHECK(with.weights["backbone.block1.norm.weight"].sizes() == torch::IntArrayRef({3, 4}));
  CHECK(with.weights["backbone.block1.norm.running_mean"].sizes() == torch::IntArrayRef({3, 4}));
  CHECK(without_norms.weights["backbone.block1.norm.weight"].sizes() == torch::IntArrayRef({4}));
  const ParamList gradients = with.learn(random_tasks(1)).gradients;
  for (const char* name : {"inner_lr.head.weight", "backbone.block1.norm.weight"}) {
    const Tensor& by_step = gradients[name];
    CHECK_FALSE(torch::allclose(by_step[0], by_step[1]));
    CHECK_FALSE(torch::allclose(by_step[1], by_step[2]));
  }
}

TEST_CASE("first-order gradients end with the epoch that the option names") {
  const auto early = [](int64_t iteration) {
    return shared_gradients({{"second_order_from", 2}, {"multi_step_loss", false}}, iteration);
  };
  const ParamList first =
                      shared_gradients({{"second_order", false}, {"multi_step_loss", false}}, 0),
                  second = shared_gradients({{"multi_step_loss", false}}, 0);
  CHECK(relative_difference(early(19), first) < 1e-12);
  CHECK(relative_difference(early(20), second) < 1e-12);
  CHECK(relative_difference(first, second) > 1e-3);
}

TEST_CASE("after its epochs the multi-step loss is the last step's alone") {
  const auto at = [](int64_t iteration) {
    return shared_gradients({{"multi_step_epochs", 4}}, iteration);
  };
  const ParamList last = shared_gradients({{"multi_step_loss", false}}, 0);
  CHECK(relative_difference(at(40), last) < 1e-12);
  CHECK(relative_difference(at(39), last) > 1e-4);
}

TEST_CASE("each step has running statistics of its own, those its support pass met") {
  const TinyMethod method(block(Json::object()));
  const TaskGradients learned = method.learn(random_tasks(2));
  const Tensor means = learned.statistics["backbone.block2.norm.running_mean"];
  REQUIRE(means.sizes() == torch::IntArrayRef({2, 3, 4}));
  CHECK_FALSE(torch::allclose(means.select(1, 0), means.select(1, 1)));
}

}  // namespace kshot::maml_plus_plus_test
