#include "framework/run/algorithm.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::joint_test {

BackbonePtr network() {
  return Registry<BackbonePlugin>::instance().find("mlp").make(
      {{"name", "mlp"}, {"hidden", {6, 5}}, {"activation", "tanh"}});
}

std::unique_ptr<const Algorithm> method(const Json& block) {
  return Registry<AlgorithmPlugin>::instance().find(block.at("name")).make(block, network());
}

ParamList weights_of(const Algorithm& algorithm) {
  return algorithm.init({{1}, 1}, Stream(3, Purpose::initialisation, 0))
      .to(torch::kCPU, torch::kDouble)
      .clone();
}

Labelled curve(int64_t tasks, int64_t points, uint64_t index) {
  const Tensor x = test::numbers({tasks, points, 1}, index);
  return {x, torch::sin(3 * x)};
}

const std::vector<uint64_t> kTasks{0, 1};

TEST_CASE("joint training is the plain loss over support and query together, summed over tasks") {
  const auto joint = method({{"name", "joint"}});
  const ParamList weights = weights_of(*joint);
  Episodes tasks{curve(2, 4, 1), curve(2, 6, 2), 1, {}};
  tasks.plans.resize(2);
  const TaskGradients learned = joint->learn(weights, tasks, {.training = true, .tasks = kTasks});

  const ParamList leaves = weights.attach();
  Forward forward;
  const Tensor x = torch::cat({tasks.support.inputs, tasks.query.inputs}, 1);
  const Tensor y = torch::cat({tasks.support.targets, tasks.query.targets}, 1);
  const Tensor features = network()->features(leaves.scope("backbone"), x, forward);
  const Tensor outputs = torch::matmul(features, leaves["head.weight"].t()) + leaves["head.bias"];
  const Tensor losses = (outputs - y).square().mean({1, 2});
  CHECK(torch::allclose(learned.losses, losses.detach().unsqueeze(1), 1e-12, 1e-14));
  const ParamList expected = gradients_of(losses.sum(), leaves);
  REQUIRE(learned.gradients.size() == expected.size());
  for (const Param& gradient : expected)
    CHECK(torch::allclose(learned.gradients[gradient.name], gradient.value, 1e-10, 1e-13));
  CHECK_FALSE(learned.accuracy.defined());
}

TEST_CASE("fine-tuning at test takes the steps that MAML takes from the same weights") {
  const auto joint = method({{"name", "joint"}, {"inner_lr", 0.05}, {"test_inner_steps", 3}});
  const auto maml = method({{"name", "maml"}, {"inner_lr", 0.05}, {"test_inner_steps", 3}});
  const ParamList weights = weights_of(*joint);
  const Labelled support = curve(2, 4, 1);
  const Tensor query = curve(2, 6, 2).inputs;
  const auto steps = [&](const Algorithm& algorithm) {
    return algorithm.adapt(weights, support, {{1}, 1}, {.tasks = kTasks})->logits_by_step(query);
  };
  const std::vector<Tensor> ours = steps(*joint), theirs = steps(*maml);
  REQUIRE(ours.size() == 4);
  REQUIRE(theirs.size() == 4);
  for (size_t k = 0; k < 4; ++k) CHECK(torch::equal(ours[k], theirs[k]));
  CHECK_FALSE(torch::equal(ours[0], ours[3]));
}

}  // namespace kshot::joint_test
