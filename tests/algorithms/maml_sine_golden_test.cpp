#include "framework/run/algorithm.h"
#include "tests/doctest_torch.h"
#include "tests/golden/golden.h"

namespace kshot::maml_sine_golden_test {

/// y = 2.3 sin(x - 0.9) at ten points.
Labelled golden_points(double first, double last) {
  const Tensor x = torch::linspace(first, last, 10, torch::kDouble).view({1, 10, 1});
  return {x, 2.3 * torch::sin(x - 0.9)};
}

Episodes golden_task() { return {golden_points(-5, 5), golden_points(-4.5, 4.7), 1, {TaskPlan{}}}; }

struct Golden {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;
};

/// 1-40-40-1, ReLU.
Golden golden_network(const std::string& name, int64_t steps) {
  const auto backbone = Registry<BackbonePlugin>::instance().find("mlp").make({{"name", "mlp"}});
  auto algorithm = Registry<AlgorithmPlugin>::instance().find(name).make(
      {{"name", name}, {"inner_lr", 0.01}, {"inner_steps", steps}}, backbone);
  const ParamList weights = algorithm->init({{1}, 1}, Stream(0, Purpose::initialisation, 0));
  return {std::move(algorithm), test::golden_weights(weights)};
}

void check_case(const std::string& name, int64_t steps, torch::Dtype dtype, double tolerance) {
  CAPTURE(name);
  CAPTURE(steps);
  const auto expected = test::golden_case(fmt::format("sine_{}_{}", name, steps));
  const Golden golden = golden_network(name, steps);
  const std::vector<uint64_t> tasks{0};
  const TaskGradients learned = golden.algorithm->learn(golden.weights.to(torch::kCPU, dtype),
                                                        golden_task().to(torch::kCPU, dtype),
                                                        Context{.training = true, .tasks = tasks});
  CHECK_FALSE(learned.accuracy.defined());

  const auto near = [&](double a, double b, double scale) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(b), scale);
  };
  REQUIRE(learned.losses.sizes() == torch::IntArrayRef({1, steps + 1}));
  for (int64_t k = 0; k < steps; ++k) {
    CHECK(near(learned.losses[0][k].item<double>(),
               expected["support_losses"][static_cast<size_t>(k)], 0));
  }
  CHECK(near(learned.losses[0][steps].item<double>(), expected["query_loss"], 0));

  const double whole = expected["grad_norm"];
  double squares = 0, sum = 0;
  REQUIRE(learned.gradients.size() == expected["grad_norms"].size());
  for (size_t k = 0; k < learned.gradients.size(); ++k) {
    const Param& gradient = learned.gradients.at(k);
    const double norm = gradient.value.to(torch::kDouble).norm().item<double>();
    CAPTURE(gradient.name);
    CHECK(near(norm, expected["grad_norms"][k], whole));
    squares += norm * norm;
    sum += gradient.value.to(torch::kDouble).sum().item<double>();
  }
  CHECK(near(std::sqrt(squares), whole, whole));
  CHECK(near(sum, expected["grad_sum"], whole));
}

void check_all(torch::Dtype dtype, double tolerance) {
  for (const std::string name : {"maml", "fomaml"}) {
    for (const int64_t steps : {1, 5}) check_case(name, steps, dtype, tolerance);
  }
}

TEST_CASE("MAML's and FOMAML's regressions on a sine equal learn2learn's, float64 to 1e-9") {
  check_all(torch::kDouble, 1e-9);
}

TEST_CASE("MAML's and FOMAML's regressions on a sine equal learn2learn's, float32 to 1e-5") {
  check_all(torch::kFloat, 1e-5);
}

TEST_CASE("the parameters of the sine network come in the order weight, bias, from the input on") {
  const ParamList weights = golden_network("maml", 1).weights;
  std::vector<std::string> names;
  for (const Param& param : weights) names.push_back(param.name);
  CHECK(names == std::vector<std::string>{"backbone.layer1.weight", "backbone.layer1.bias",
                                          "backbone.layer2.weight", "backbone.layer2.bias",
                                          "head.weight", "head.bias"});
  CHECK(count_learnable(weights) == 1 * 40 + 40 + 40 * 40 + 40 + 40 + 1);
}

}  // namespace kshot::maml_sine_golden_test
