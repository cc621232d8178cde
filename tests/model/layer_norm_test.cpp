#include "framework/model/layer_norm.h"

#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::layer_norm_test {

using test::derivative_errors;
using test::derivatives;
using test::difference;
using test::numbers;

TEST_CASE("a vector is normalised by its own mean and biased variance, worked out by hand") {
  // Mean 2, variance 2/3.
  const Tensor x = torch::tensor({1., 2., 3.}, torch::kDouble).view({1, 1, 3});
  const Tensor gamma = torch::tensor({1., 2., 3.}, torch::kDouble),
               beta = torch::ones({3}, torch::kDouble);
  const double unit = 1 / std::sqrt(2.0 / 3 + 0.5);
  const Tensor expected = torch::tensor({1 - unit, 1., 1 + 3 * unit}, torch::kDouble);
  CHECK(difference(layer_norm(x, gamma, beta, 0.5)[0][0], expected) <= 1e-14);
}

TEST_CASE("parameters of each task equal a loop over tasks, to the second derivative") {
  const auto together = [](const std::vector<Tensor>& in) {
    return layer_norm(in[0], in[1], in[2], 1e-6);
  };
  const auto loop = [](const std::vector<Tensor>& in) {
    std::vector<Tensor> tasks;
    for (int64_t t = 0; t < 3; ++t)
      tasks.push_back(layer_norm(in[0].narrow(0, t, 1), in[1][t], in[2][t], 1e-6));
    return torch::cat(tasks, 0);
  };
  const std::vector<Tensor> at{numbers({3, 2, 4, 5}, 1), numbers({3, 5}, 2), numbers({3, 5}, 3)};
  const auto a = derivatives(together, at), b = derivatives(loop, at);
  CHECK(difference(a.values, b.values) <= 1e-12);
  for (size_t i = 0; i < at.size(); ++i) {
    CHECK(difference(a.first[i], b.first[i]) <= 1e-10);
    CHECK(difference(a.second[i], b.second[i]) <= 1e-10);
  }
}

TEST_CASE("one of gamma and beta may be each task's own") {
  const Tensor x = numbers({2, 3, 4}, 1), own = numbers({2, 4}, 2), shared = numbers({4}, 3);
  for (int64_t t = 0; t < 2; ++t) {
    const Tensor one = x.narrow(0, t, 1);
    CHECK(difference(layer_norm(x, own, shared, 1e-6)[t],
                     layer_norm(one, own[t], shared, 1e-6)[0]) <= 1e-12);
    CHECK(difference(layer_norm(x, shared, own, 1e-6)[t],
                     layer_norm(one, shared, own[t], 1e-6)[0]) <= 1e-12);
  }
  CHECK_THROWS_AS(layer_norm(x, numbers({3, 4}, 2), shared, 1e-6), c10::Error);
}

TEST_CASE("first and second derivatives agree with central differences") {
  const auto op = [](const std::vector<Tensor>& in) {
    return layer_norm(in[0], in[1], in[2], 1e-2);
  };
  const std::vector<Tensor> shared{numbers({2, 2, 4}, 1), numbers({4}, 2), numbers({4}, 3)},
      own{numbers({2, 2, 4}, 1), numbers({2, 4}, 2), numbers({2, 4}, 3)};
  for (const auto& at : {shared, own}) {
    const auto errors = derivative_errors(op, at);
    CHECK(errors.first <= 1e-7);
    CHECK(errors.second <= 1e-7);
  }
}

}  // namespace kshot::layer_norm_test
