#include "framework/run/algorithm.h"

#include <cmath>

#include "tests/doctest_torch.h"

namespace kshot::algorithm_test {

TEST_CASE("a task's loss is the mean cross-entropy of its images; tasks stay apart") {
  const Tensor logits =
      torch::tensor({0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 3.0}, torch::kDouble).view({2, 2, 2});
  const Tensor targets = torch::tensor({0, 0, 1, 1}, torch::kLong).view({2, 2});
  const Tensor loss = task_cross_entropy(logits, targets);
  REQUIRE(loss.sizes() == torch::IntArrayRef({2}));
  CHECK(loss[0].item<double>() ==
        doctest::Approx((std::log(2) + std::log1p(std::exp(-1))) / 2).epsilon(1e-12));
  CHECK(loss[1].item<double>() ==
        doctest::Approx((std::log1p(std::exp(2)) + std::log1p(std::exp(-3))) / 2).epsilon(1e-12));
}

TEST_CASE("cross-entropy of large logits does not overflow") {
  const Tensor logits = torch::tensor({1000.0, -1000.0}, torch::kFloat).view({1, 1, 2});
  CHECK(task_cross_entropy(logits, torch::zeros({1, 1}, torch::kLong)).item<float>() == 0);
  CHECK(task_cross_entropy(logits, torch::ones({1, 1}, torch::kLong)).item<float>() == 2000);
}

TEST_CASE("accuracy counts right answers, and a tie goes to the lowest label") {
  const Tensor logits =
      torch::tensor({1.0, 2.0, 0.0, 5.0, 5.0, 0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 0.0}, torch::kDouble)
          .view({1, 4, 3});
  const auto accuracy = [&](const std::vector<int64_t>& targets) {
    return task_accuracy(logits, torch::tensor(targets, torch::kLong).view({1, 4})).item<float>();
  };
  CHECK(accuracy({1, 0, 1, 0}) == 1);
  CHECK(accuracy({1, 1, 2, 2}) == 0.25F);
  CHECK(task_accuracy(logits, torch::zeros({1, 4}, torch::kLong)).scalar_type() == torch::kFloat);
}

TEST_CASE(
    "gradients are named, detached and in order, and zero where the loss does not depend on a "
    "weight") {
  ParamList weights;
  weights.add({"a", torch::tensor({2.0, 3.0}, torch::kDouble)});
  weights.add({"buffer", torch::ones({1}, torch::kDouble), Role::buffer});
  weights.add({"unused", torch::ones({2, 2}, torch::kDouble)});
  weights.add({"b", torch::tensor({5.0}, torch::kDouble)});
  const ParamList leaves = weights.attach();
  const ParamList gradients =
      gradients_of((leaves["a"].square() * leaves["b"] * leaves["buffer"]).sum(), leaves);
  REQUIRE(gradients.size() == 3);
  CHECK(gradients.at(0).name == "a");
  CHECK(gradients.at(1).name == "unused");
  CHECK(torch::equal(gradients["a"], torch::tensor({20.0, 30.0}, torch::kDouble)));
  CHECK(torch::equal(gradients["unused"], torch::zeros({2, 2}, torch::kDouble)));
  CHECK(torch::equal(gradients["b"], torch::tensor({13.0}, torch::kDouble)));
  for (const Param& gradient : gradients) CHECK_FALSE(gradient.value.requires_grad());
}

TEST_CASE("without learnables there are no gradients") {
  ParamList weights;
  weights.add({"buffer", torch::ones({1}), Role::buffer});
  CHECK(gradients_of(torch::ones({}), weights.attach()).empty());
}

TEST_CASE("a task's random numbers depend on its global index, not on its place in the call") {
  const std::vector<uint64_t> three{7, 8, 9}, one{9};
  const Context together{.seed = 4, .tasks = three}, alone{.seed = 4, .tasks = one},
      other{.seed = 5, .tasks = one};
  CHECK(together.stream(Purpose::algorithm, 2).next_u64() ==
        alone.stream(Purpose::algorithm, 0).next_u64());
  CHECK(together.stream(Purpose::algorithm, 1).next_u64() !=
        alone.stream(Purpose::algorithm, 0).next_u64());
  CHECK(other.stream(Purpose::algorithm, 0).next_u64() !=
        alone.stream(Purpose::algorithm, 0).next_u64());
  CHECK(alone.stream(Purpose::dropout, 0).next_u64() !=
        alone.stream(Purpose::algorithm, 0).next_u64());
}

}  // namespace kshot::algorithm_test
