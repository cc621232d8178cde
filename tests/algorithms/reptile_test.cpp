#include <torch/optim.h>

#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot {
namespace {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

/// theta - phi of an independent loop over the whole support set, by an optimiser of LibTorch.
ParamList movement(
    const TinyMethod& method, const Labelled& support, int64_t steps,
    const std::function<std::unique_ptr<torch::optim::Optimizer>(const std::vector<Tensor>&)>&
        make_optimizer) {
  const auto backbone = Registry<BackbonePlugin>::instance().find("conv4").make(
      {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}});
  const ParamList leaves = method.weights.clone().attach();
  const auto optimizer = make_optimizer(leaves.with_role(Role::learnable).values());
  for (int64_t step = 0; step < steps; ++step) {
    Forward forward;
    const Tensor features =
        backbone->features(leaves.scope("backbone"), support.inputs, forward).flatten(2);
    const Tensor logits = torch::matmul(features, leaves["head.weight"].t()) + leaves["head.bias"];
    optimizer->zero_grad();
    task_cross_entropy(logits, support.targets).sum().backward();
    optimizer->step();
  }
  ParamList result;
  for (const Param& leaf : leaves.with_role(Role::learnable))
    result.add({leaf.name, method.weights[leaf.name] - leaf.value.detach()});
  return result;
}

Json whole_set(const std::string& optimizer, int64_t steps) {
  return {{"name", "reptile"},
          {"inner_optimizer", optimizer},
          {"inner_lr", 0.05},
          {"inner_steps", steps},
          {"inner_batch", 100}};
}

TEST_CASE("Reptile by gradient descent answers theta - phi of an independent loop") {
  const TinyMethod method(whole_set("sgd", 4));
  const Episodes task = random_tasks(1);
  const ParamList expected =
      movement(method, task.support, 4, [](const std::vector<Tensor>& values) {
        return std::make_unique<torch::optim::SGD>(values, torch::optim::SGDOptions(0.05));
      });
  CHECK(relative_difference(method.learn(task).gradients, expected) < 1e-9);
}

TEST_CASE("Reptile by Adam with beta1 = 0 answers theta - phi of LibTorch's Adam") {
  const TinyMethod method(whole_set("adam", 4));
  const Episodes task = random_tasks(1);
  const ParamList expected =
      movement(method, task.support, 4, [](const std::vector<Tensor>& values) {
        return std::make_unique<torch::optim::Adam>(
            values, torch::optim::AdamOptions(0.05).betas({0, 0.999}).eps(1e-12));
      });
  // Epsilons differ in size and place; the convolutions' biases, whose gradients are rounding
  // noise, are left out.
  ParamList found, wanted;
  for (const Param& param : method.learn(task).gradients) {
    if (param.name.ends_with("conv.bias")) continue;
    found.add(param);
    wanted.add({param.name, expected[param.name]});
  }
  CHECK(relative_difference(found, wanted) < 1e-3);
}

TEST_CASE("one step of gradient descent at meta-step 1 is one step on the task's loss") {
  const TinyMethod method(whole_set("sgd", 1));
  const Episodes task = random_tasks(1);
  const TinyMethod fomaml(Json{{"name", "fomaml"}, {"inner_lr", 0.0}, {"inner_steps", 1}});
  // FOMAML at rate 0 on query = support is the plain gradient.
  Episodes same = task;
  same.query = task.support;
  ParamList plain = fomaml.learn(same).gradients;
  for (Param& gradient : plain) gradient.value = gradient.value * 0.05;
  CHECK(relative_difference(method.learn(task).gradients, plain) < 1e-9);
}

TEST_CASE("minibatches go through the whole support set before an image comes again") {
  Json block = whole_set("sgd", 3);
  block["inner_batch"] = 2;
  // At rate 0, without batch norm, the minibatches' losses are those of parts of the set under the
  // same weights: their mean is the whole set's.
  block["inner_lr"] = 0.0;
  const TinyMethod still(block, {{"norm", false}});
  Json whole = whole_set("sgd", 1);
  whole["inner_lr"] = 0.0;
  const TinyMethod all(whole, {{"norm", false}});
  const Episodes task = random_tasks(1);
  CHECK(still.learn(task).losses.mean().item<double>() ==
        doctest::Approx(all.learn(task).losses.mean().item<double>()).epsilon(1e-10));
  const Tensor losses = still.learn(task).losses;
  CHECK(losses.std().item<double>() > 1e-6);
}

TEST_CASE("Reptile learns from tasks without queries") {
  const TinyMethod method(whole_set("adam", 2));
  Episodes task = random_tasks(1);
  task.query = {task.query.inputs.narrow(1, 0, 0), task.query.targets.narrow(1, 0, 0)};
  const TaskGradients learned = method.learn(task);
  CHECK(torch::isfinite(learned.losses).all().item<bool>());
  CHECK(test::norm_of(learned.gradients) > 0);
}

}  // namespace
}  // namespace kshot
