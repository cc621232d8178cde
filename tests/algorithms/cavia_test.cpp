#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot::cavia_test {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

TEST_CASE("before any step CAVIA's network is the plain one") {
  const TinyMethod cavia(Json{{"name", "cavia"}, {"test_inner_steps", 0}});
  const Episodes task = random_tasks(1);
  const auto backbone = Registry<BackbonePlugin>::instance().find("conv4").make(
      {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}});
  Forward forward;
  const Tensor features =
      backbone->features(cavia.weights.scope("backbone"), task.query.inputs, forward).flatten(2);
  const Tensor logits =
      torch::matmul(features, cavia.weights["head.weight"].t()) + cavia.weights["head.bias"];
  CHECK(
      torch::allclose(cavia.adapt(task.support)->logits(task.query.inputs), logits, 1e-10, 1e-12));
}

TEST_CASE("CAVIA adapts to the support set: steps on it lower its loss") {
  const TinyMethod cavia(Json{{"name", "cavia"}, {"inner_lr", 1.0}, {"test_inner_steps", 10}});
  const Episodes task = random_tasks(2);
  const auto by_step = cavia.adapt(task.support)->logits_by_step(task.support.inputs);
  const Tensor before = task_cross_entropy(by_step.front(), task.support.targets),
               after = task_cross_entropy(by_step.back(), task.support.targets);
  CHECK((after < before).all().item<bool>());
}

TEST_CASE("CAVIA's second-order term is there") {
  const Json second{{"name", "cavia"}, {"inner_lr", 1.0}};
  Json first = second;
  first["second_order"] = false;
  const Episodes task = random_tasks(1);
  const TaskGradients a = TinyMethod(first).learn(task), b = TinyMethod(second).learn(task);
  CHECK(torch::allclose(a.losses, b.losses, 1e-10, 1e-12));
  CHECK(relative_difference(a.gradients, b.gradients) > 1e-4);
}

}  // namespace kshot::cavia_test
