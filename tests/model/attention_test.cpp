#include "framework/model/attention.h"

#include <cmath>

#include "framework/model/hard_sigmoid.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::attention_test {

using test::derivative_errors;
using test::difference;
using test::numbers;

TEST_CASE("two tokens of one head, worked out by hand") {
  // q k^T / sqrt(4): the first token scores 2 and 0, the second 0 and 0.
  const Tensor q = torch::tensor({{4., 0., 0., 0.}, {0., 0., 0., 0.}}, torch::kDouble);
  const Tensor k = torch::tensor({{1., 0., 0., 0.}, {0., 1., 0., 0.}}, torch::kDouble);
  const Tensor v = torch::tensor({{1., 2., 3., 4.}, {5., 6., 7., 8.}}, torch::kDouble);
  const auto one = [](const Tensor& x) { return x.view({1, 1, 2, 4}); };
  const Tensor y = multi_head_attention(one(q), one(k), one(v), 1)[0][0];
  const double first = std::exp(2.0) / (std::exp(2.0) + 1);
  CHECK(difference(y[0], first * v[0] + (1 - first) * v[1]) <= 1e-14);
  CHECK(difference(y[1], (v[0] + v[1]) / 2) <= 1e-14);
}

TEST_CASE("heads are blocks of numbers that attend apart, as LibTorch's attention has them") {
  const Tensor q = numbers({2, 3, 5, 12}, 1), k = numbers({2, 3, 7, 12}, 2),
               v = numbers({2, 3, 7, 12}, 3);
  const Tensor y = multi_head_attention(q, k, v, 3);
  for (int64_t head = 0; head < 3; ++head) {
    const auto part = [&](const Tensor& x) { return x.narrow(-1, 4 * head, 4); };
    CHECK(difference(part(y), multi_head_attention(part(q), part(k), part(v), 1)) <= 1e-13);
    CHECK(difference(part(y), at::scaled_dot_product_attention(part(q), part(k), part(v))) <=
          1e-12);
  }
  CHECK_THROWS_AS(multi_head_attention(q, k, v, 5), c10::Error);
}

TEST_CASE("turning the keys and values around changes nothing; no image sees another") {
  const Tensor q = numbers({2, 2, 3, 4}, 1), k = numbers({2, 2, 5, 4}, 2),
               v = numbers({2, 2, 5, 4}, 3);
  const Tensor y = multi_head_attention(q, k, v, 2);
  CHECK(difference(multi_head_attention(q, k.flip({2}), v.flip({2}), 2), y) <= 1e-13);
  const auto one = [](const Tensor& x) { return x.narrow(0, 1, 1).narrow(1, 1, 1); };
  CHECK(difference(multi_head_attention(one(q), one(k), one(v), 2), one(y)) <= 1e-13);
}

TEST_CASE("first and second derivatives agree with central differences") {
  const auto errors = derivative_errors(
      [](const auto& in) { return multi_head_attention(in[0], in[1], in[2], 2); },
      {numbers({1, 2, 3, 4}, 1), numbers({1, 2, 2, 4}, 2), numbers({1, 2, 2, 4}, 3)});
  CHECK(errors.first <= 1e-8);
  CHECK(errors.second <= 1e-8);
}

TEST_CASE("the activations that networks use have a second derivative") {
  // Away from the kinks at -3 and 3.
  const Tensor x = 2.5 * numbers({40}, 1);
  const std::vector<test::Function> activations{
      [](const auto& in) { return torch::gelu(in[0]); },
      [](const auto& in) { return torch::hardswish(in[0]); },
      [](const auto& in) { return hard_sigmoid(in[0]); }};
  for (const test::Function& activation : activations) {
    const auto errors = derivative_errors(activation, {x});
    CHECK(errors.first <= 1e-8);
    CHECK(errors.second <= 1e-8);
  }
  const Tensor wide = 5 * numbers({40}, 1);
  CHECK(difference(hard_sigmoid(wide), torch::hardsigmoid(wide)) <= 1e-15);
}

}  // namespace kshot::attention_test
