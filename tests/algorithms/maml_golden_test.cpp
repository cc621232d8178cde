#include "tests/golden/golden_learning.h"

namespace kshot::maml_golden_test {

/// With the step size and the statistics of the golden cases.
Json method(const std::string& name, int64_t steps) {
  return {{"name", name}, {"inner_lr", 0.4}, {"inner_steps", steps}};
}

TEST_CASE("losses and meta-gradients of MAML and its family equal learn2learn's, 1 and 5 steps") {
  for (const int64_t steps : {1, 5}) {
    const std::string tail = "_" + std::to_string(steps);
    test::check_golden_conv("conv_maml" + tail, method("maml", steps));
    test::check_golden_conv("conv_fomaml" + tail, method("fomaml", steps));
    test::check_golden_conv("conv_metasgd" + tail, method("meta_sgd", steps));
    test::check_golden_conv("conv_anil" + tail, method("anil", steps));
  }
}

TEST_CASE("MAML++ with every switch off is MAML whose batch norm does not adapt") {
  for (const int64_t steps : {1, 5}) {
    Json plain = method("maml_plus_plus", steps), maml = method("maml", steps);
    plain.update({{"multi_step_loss", false}, {"learned_rates", false}, {"per_step_norm", false}});
    maml["adapt_norm"] = false;
    const TaskGradients one = test::learn_golden(plain, torch::kDouble, Kernels::fast);
    const TaskGradients other = test::learn_golden(maml, torch::kDouble, Kernels::fast);
    CHECK(torch::allclose(one.losses, other.losses, 1e-12, 1e-13));
    REQUIRE(one.gradients.size() == other.gradients.size());
    for (size_t k = 0; k < one.gradients.size(); ++k)
      CHECK(torch::allclose(one.gradients.at(k).value, other.gradients.at(k).value, 1e-9, 1e-12));
  }
}

}  // namespace kshot::maml_golden_test
