// Where learn() is the gradient of its training loss, central differences must say the same:
// through inner steps, for every learnable, step sizes and what belongs to a step included.
#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot::meta_gradient_test {

using test::random_tasks;

void check_meta_gradient(Json options) {
  options.update({{"inner_lr", 0.2}, {"inner_steps", 2}});
  CAPTURE(options.dump());
  const auto algorithm = test::make_algorithm(options, test::tiny_backbone());
  const std::vector<uint64_t> tasks{0, 1};
  const Context context{.iteration = 3, .iterations = 100, .training = true, .tasks = tasks};
  const test::GradientError error = test::learn_gradient_error(
      *algorithm, test::shaken_weights(*algorithm, 0.05), random_tasks(2), context);
  CAPTURE(error.parameter);
  CHECK(error.worst <= 1e-5);
}

TEST_CASE("meta-gradients through inner steps agree with central differences") {
  for (const char* name : {"maml", "anil", "boil", "meta_sgd", "cavia"})
    check_meta_gradient({{"name", name}});
  check_meta_gradient({{"name", "maml_plus_plus"}, {"multi_step_loss", false}});
}

TEST_CASE("they do where the support set's statistics, part of the graph, normalise the queries") {
  for (const char* name : {"maml", "meta_sgd", "cavia"})
    check_meta_gradient({{"name", name}, {"batch_norm", "support"}});
}

TEST_CASE("they do for the reference's loss, a sum over the shot") {
  check_meta_gradient({{"name", "maml"}, {"loss", "class_sum"}});
}

TEST_CASE("the multi-step loss is the weighted sum of MAML's losses after 1, 2 and 3 steps") {
  const auto gradients = [](Json options) {
    options["inner_lr"] = 0.2;
    return test::TinyMethod(options).learn(random_tasks(1)).gradients;
  };
  const ParamList found = gradients({{"name", "maml_plus_plus"},
                                     {"inner_steps", 3},
                                     {"learned_rates", false},
                                     {"per_step_norm", false},
                                     {"head_init", "pytorch"}});
  ParamList expected;
  for (const int64_t steps : {1, 2, 3}) {
    const ParamList of_steps =
        gradients({{"name", "maml"}, {"inner_steps", steps}, {"adapt_norm", false}});
    if (expected.empty()) expected = of_steps.clone();
    for (size_t i = 0; steps > 1 && i < expected.size(); ++i)
      expected.at(i).value.add_(of_steps.at(i).value);
  }
  for (const Param& sum : expected) sum.value.div_(3);  // alike in epoch 0
  CHECK(test::relative_difference(found, expected) < 1e-10);
}

}  // namespace kshot::meta_gradient_test
