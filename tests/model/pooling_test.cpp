#include "framework/model/pooling.h"

#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::pooling_test {

using test::derivative_errors;
using test::difference;
using test::numbers;

/// 0, 1, 2, ... in one 4x5 image.
Tensor counting() { return torch::arange(20, torch::kDouble).view({1, 1, 1, 4, 5}); }

Tensor rows(const std::vector<double>& values, int64_t columns) {
  return torch::tensor(values, torch::kDouble).view({-1, columns});
}

TEST_CASE("maxima and means of windows, worked out by hand") {
  const PoolWindow stem{.size = 3, .stride = 2, .border = 1};
  CHECK(torch::equal(max_pool(counting(), stem)[0][0][0], rows({6, 8, 9, 16, 18, 19}, 3)));
  // A border never wins, however small the values are.
  CHECK(torch::equal(max_pool(counting() - 100, stem)[0][0][0],
                     rows({6, 8, 9, 16, 18, 19}, 3) - 100));
  const PoolWindow inner{.size = 3, .stride = 2, .border = 0};
  CHECK(torch::equal(max_pool(counting(), inner)[0][0][0], rows({12, 14}, 2)));
  CHECK(torch::equal(mean_pool(counting(), inner)[0][0][0], rows({6, 8}, 2)));
  // The border counts as zeros: (0 + 1 + 5 + 6) / 9.
  const PoolWindow same{.size = 3, .stride = 1, .border = 1};
  CHECK(mean_pool(counting(), same)[0][0][0][0][0].item<double>() == doctest::Approx(12.0 / 9));
  CHECK(mean_pool(counting(), same).sizes() == counting().sizes());
}

TEST_CASE("a grid covers the map: fields meet, or overlap by a row where they must") {
  CHECK(torch::equal(mean_grid(counting(), 2, 1)[0][0][0], rows({4.5, 14.5}, 1)));
  // Rows 0-1, 1-2, 2-3 of four.
  CHECK(torch::equal(mean_grid(counting(), 3, 5)[0][0][0].select(1, 0),
                     torch::tensor({2.5, 7.5, 12.5}, torch::kDouble)));
  CHECK(torch::equal(mean_grid(counting(), 8, 5)[0][0][0].select(1, 0),
                     torch::tensor({0., 0., 5., 5., 10., 10., 15., 15.}, torch::kDouble)));
  CHECK(torch::equal(mean_grid(counting(), 4, 5), counting()));
}

TEST_CASE("a window's size over a length is what pooling leaves") {
  for (const PoolWindow& window : {PoolWindow{3, 2, 1}, PoolWindow{3, 2, 0}, PoolWindow{3, 1, 1},
                                   PoolWindow{2, 2, 0}, PoolWindow{5, 3, 2}}) {
    for (int64_t length = 5; length < 12; ++length) {
      const Tensor pooled = max_pool(numbers({1, 1, 1, length, 7}, 1), window);
      CHECK(pooled.size(3) == window.size_after(length));
    }
  }
  CHECK(PoolWindow{.size = 3, .stride = 2, .border = 0}.size_after(2) == 0);
}

TEST_CASE("tasks are pooled apart, and first and second derivatives agree with differences") {
  // Values at least 0.1 apart: no maximum changes hands within a step.
  const Tensor apart =
      (torch::arange(60, torch::kDouble) * 7).remainder(60).view({2, 1, 1, 5, 6}) * 0.1;
  const PoolWindow window{.size = 3, .stride = 2, .border = 1};
  const std::vector<test::Function> operations{
      [&](const auto& in) { return max_pool(in[0], window); },
      [&](const auto& in) { return mean_pool(in[0], window); },
      [&](const auto& in) { return mean_grid(in[0], 2, 4); }};
  for (const test::Function& op : operations) {
    const auto errors = derivative_errors(op, {apart});
    CHECK(errors.first <= 1e-8);
    CHECK(errors.second <= 1e-8);
    const Tensor all = op({apart});
    for (int64_t t = 0; t < 2; ++t)
      CHECK(difference(op({apart.narrow(0, t, 1)}), all.narrow(0, t, 1)) == 0);
  }
}

}  // namespace kshot::pooling_test
