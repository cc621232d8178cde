#include <torch/optim.h>

#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot::reptile_test {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

/// An independent loop over the whole support set, by an optimiser of LibTorch over `leaves`.
void descend_on(const Labelled& support, const ParamList& leaves,
                torch::optim::Optimizer& optimizer, int64_t steps) {
  const auto backbone = Registry<BackbonePlugin>::instance().find("conv4").make(
      {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}});
  for (int64_t step = 0; step < steps; ++step) {
    Forward forward;
    const Tensor features =
        backbone->features(leaves.scope("backbone"), support.inputs, forward).flatten(2);
    const Tensor logits = torch::matmul(features, leaves["head.weight"].t()) + leaves["head.bias"];
    optimizer.zero_grad();
    task_cross_entropy(logits, support.targets).sum().backward();
    optimizer.step();
  }
}

void go_back_to(const ParamList& weights, const ParamList& leaves) {
  const torch::NoGradGuard no_grad;
  for (const Param& leaf : leaves.with_role(Role::learnable)) {
    Tensor value = leaf.value;
    value.copy_(weights[leaf.name]);
  }
}

/// theta - phi.
ParamList movement_to(const ParamList& leaves, const ParamList& weights) {
  ParamList result;
  for (const Param& leaf : leaves.with_role(Role::learnable))
    result.add({leaf.name, weights[leaf.name] - leaf.value.detach()});
  return result;
}

template <class Optimizer, class Options>
ParamList movement(const TinyMethod& method, const Labelled& support, int64_t steps,
                   const Options& options) {
  const ParamList leaves = method.weights.clone().attach();
  Optimizer optimizer(leaves.with_role(Role::learnable).values(), options);
  descend_on(support, leaves, optimizer, steps);
  return movement_to(leaves, method.weights);
}

/// Of a size that makes up for epsilon's other place.
torch::optim::AdamOptions adam_options() {
  return torch::optim::AdamOptions(0.05).betas({0, 0.999}).eps(1e-12);
}

/// Less the convolutions' biases, whose gradients are rounding noise, which Adam makes large.
ParamList without_biases(const ParamList& list) {
  ParamList result;
  for (const Param& param : list) {
    if (!param.name.ends_with("conv.bias")) result.add(param);
  }
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
      movement<torch::optim::SGD>(method, task.support, 4, torch::optim::SGDOptions(0.05));
  CHECK(relative_difference(method.learn(task).gradients, expected) < 1e-9);
}

TEST_CASE("Reptile by Adam with beta1 = 0 answers theta - phi of LibTorch's Adam") {
  const TinyMethod method(whole_set("adam", 4));
  const Episodes task = random_tasks(1);
  const ParamList expected = movement<torch::optim::Adam>(method, task.support, 4, adam_options());
  CHECK(relative_difference(without_biases(method.learn(task).gradients),
                            without_biases(expected)) < 1e-3);
}

TEST_CASE("kept moments go on where the last task's ended, as one Adam over both tasks does") {
  Json block = whole_set("adam", 3);
  block["inner_state"] = "kept";
  TinyMethod method(block);
  const Episodes both = random_tasks(2), first = both.slice(0, 1), second = both.slice(1, 1);

  const ParamList leaves = method.weights.clone().attach();
  torch::optim::Adam adam(leaves.with_role(Role::learnable).values(), adam_options());
  descend_on(first.support, leaves, adam, 3);
  go_back_to(method.weights, leaves);
  descend_on(second.support, leaves, adam, 3);
  const ParamList expected = without_biases(movement_to(leaves, method.weights));

  CHECK(relative_difference(without_biases(method.learn(second).gradients), expected) > 0.1);
  const TaskGradients learned = method.learn(first);
  for (const Param& met : learned.statistics) {
    Tensor buffer = method.weights[met.name];
    buffer.copy_(met.value[0]);  // as the trainer does with a momentum of 1
  }
  CHECK(relative_difference(without_biases(method.learn(second).gradients), expected) < 1e-3);
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

}  // namespace kshot::reptile_test
