#pragma once

#include "framework/run/algorithm.h"
#include "tests/doctest_torch.h"
#include "tests/golden/golden.h"

namespace kshot::test {

/// The golden conv net's task: 5-way 1-shot, 15 queries, images of 8x8.
inline Episodes golden_episode() {
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

/// What an algorithm, given by its block of a spec, learns from the golden task with the golden
/// conv net's weights.
inline TaskGradients learn_golden(const Json& algorithm, torch::Dtype dtype, Kernels kernels) {
  const auto backbone = with_kernels(Registry<BackbonePlugin>::instance().find("conv4").make(
                                         {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}}),
                                     kernels);
  const auto method =
      Registry<AlgorithmPlugin>::instance().find(algorithm["name"]).make(algorithm, backbone);
  const ParamList weights =
      golden_weights(method->init({{1, 8, 8}, 5}, Stream(0, Purpose::initialisation, 0)));
  const std::vector<uint64_t> tasks{0};
  return method->learn(weights.to(torch::kCPU, dtype), golden_episode().to(torch::kCPU, dtype),
                       Context{.training = true, .tasks = tasks});
}

/// Compares loss and gradients with a golden case: |a - b| <= tolerance max(|b|, norm of the whole
/// gradient).
inline void check_golden(const std::string& name, const TaskGradients& learned, double tolerance) {
  CAPTURE(name);
  const auto expected = golden_case(name);
  const double whole = expected["grad_norm"], loss = expected["query_loss"];
  const auto near = [&](double a, double b) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(b), whole);
  };
  const Tensor losses = learned.losses[0].to(torch::kDouble);
  CHECK(std::abs(losses[-1].item<double>() - loss) <= tolerance * loss);
  if (expected.contains("support_losses")) {
    const std::vector<double> support = expected["support_losses"];
    REQUIRE(losses.size(0) == static_cast<int64_t>(support.size()) + 1);
    for (size_t k = 0; k < support.size(); ++k)
      CHECK(near(losses[static_cast<int64_t>(k)].item<double>(), support[k]));
  }
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

/// In both precisions, by the plain composition and by our own kernels.
inline void check_golden_conv(const std::string& name, const Json& algorithm) {
  for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
    check_golden(name, learn_golden(algorithm, torch::kDouble, kernels), 1e-9);
    check_golden(name, learn_golden(algorithm, torch::kFloat, kernels), 1e-5);
  }
}

}  // namespace kshot::test
