#include "framework/run/algorithm.h"
#include "tests/doctest_torch.h"
#include "tests/golden/golden.h"

namespace kshot {
namespace {

using test::golden_fill;

Episodes golden_episode() {
  const Tensor wave = torch::cos(torch::arange(5, torch::kDouble)).view({5, 1, 1, 1});
  const Tensor support =
      golden_fill({5, 1, 8, 8}, 0.5, 1) + 0.5 * wave * golden_fill({1, 1, 8, 8}, 3.1, 1);
  Episodes episode;
  episode.support = {support.unsqueeze(0), torch::arange(5).unsqueeze(0)};
  episode.query = {golden_fill({15, 1, 8, 8}, 1.7, 1).unsqueeze(0),
                   torch::arange(15).remainder(5).unsqueeze(0)};
  episode.outputs = 5;
  episode.plans.resize(1);
  return episode;
}

struct Golden {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;
};

Golden golden_protonet(Kernels kernels) {
  const auto backbone = with_kernels(Registry<BackbonePlugin>::instance().find("conv4").make(
                                         {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}}),
                                     kernels);
  auto algorithm =
      Registry<AlgorithmPlugin>::instance().find("protonet").make({{"name", "protonet"}}, backbone);
  const ParamList weights = algorithm->init({{1, 8, 8}, 5}, Stream(0, Purpose::initialisation, 0));
  return {std::move(algorithm), test::golden_weights(weights)};
}

TaskGradients learn_golden(torch::Dtype dtype, Kernels kernels = Kernels::fast) {
  const Golden golden = golden_protonet(kernels);
  const std::vector<uint64_t> tasks{0};
  return golden.algorithm->learn(golden.weights.to(torch::kCPU, dtype),
                                 golden_episode().to(torch::kCPU, dtype),
                                 Context{.training = true, .tasks = tasks});
}

void check_case(torch::Dtype dtype, Kernels kernels, double tolerance) {
  const auto expected = test::golden_case("conv_protonet");
  const TaskGradients learned = learn_golden(dtype, kernels);
  const double whole = expected["grad_norm"];
  const auto near = [&](double a, double b) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(b), whole);
  };
  const double expected_loss = expected["query_loss"];
  CHECK(std::abs(learned.losses.item<double>() - expected_loss) <= tolerance * expected_loss);
  double squares = 0, sum = 0;
  REQUIRE(learned.gradients.size() == expected["grad_norms"].size());
  for (size_t k = 0; k < learned.gradients.size(); ++k) {
    const Param& gradient = learned.gradients.at(k);
    const double norm = gradient.value.to(torch::kDouble).norm().item<double>();
    CAPTURE(gradient.name);
    CHECK(near(norm, expected["grad_norms"][k]));
    squares += norm * norm;
    sum += gradient.value.to(torch::kDouble).sum().item<double>();
  }
  CHECK(near(std::sqrt(squares), whole));
  CHECK(near(sum, expected["grad_sum"]));
}

TEST_CASE("ProtoNet's loss and gradients equal learn2learn's, float64 to 1e-9") {
  for (const Kernels kernels : {Kernels::reference, Kernels::fast})
    check_case(torch::kDouble, kernels, 1e-9);
}

TEST_CASE("ProtoNet's loss and gradients equal learn2learn's, float32 to 1e-5") {
  for (const Kernels kernels : {Kernels::reference, Kernels::fast})
    check_case(torch::kFloat, kernels, 1e-5);
}

}  // namespace
}  // namespace kshot
