#include "framework/model/dropout.h"

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::dropout_test {

using test::numbers;

const std::vector<Stream> kStreams{Stream(3, Purpose::dropout, 0), Stream(3, Purpose::dropout, 1)};

Forward training() { return {.training = true, .streams = kStreams}; }

TEST_CASE("a share p of the values goes, the others are scaled: the mean stays") {
  const Tensor x = torch::ones({2, 50, 200}, torch::kDouble);
  const Tensor y = dropout(x, 0.3, 0, training());
  const Tensor kept = y.ne(0);
  CHECK(kept.to(torch::kDouble).mean().item<double>() == doctest::Approx(0.7).epsilon(0.02));
  CHECK(torch::allclose(y.masked_select(kept), torch::full({1}, 1 / 0.7, torch::kDouble)));
  CHECK_FALSE(torch::equal(y[0], y[1]));
}

TEST_CASE("outside training, and with p = 0, nothing is dropped and nothing drawn") {
  const Tensor x = numbers({2, 3, 4}, 1), map = numbers({2, 3, 4, 6, 6}, 1);
  const Forward testing{.streams = kStreams}, without_streams{.training = true};
  CHECK(torch::equal(dropout(x, 0.5, 0, testing), x));
  CHECK(torch::equal(dropout(x, 0, 0, without_streams), x));
  CHECK(torch::equal(drop_block(map, 0.5, 3, 0, testing), map));
  CHECK(torch::equal(drop_block(map, 0, 3, 0, without_streams), map));
}

TEST_CASE("what is dropped is a function of the task's stream and the place") {
  const Tensor x = torch::ones({2, 4, 30}, torch::kDouble);
  const Tensor y = dropout(x, 0.5, 7, training());
  CHECK(torch::equal(dropout(x, 0.5, 7, training()), y));
  CHECK_FALSE(torch::equal(dropout(x, 0.5, 8, training()), y));
  const Forward second{.training = true, .streams = std::span(kStreams).subspan(1)};
  CHECK(torch::equal(dropout(x.narrow(0, 1, 1), 0.5, 7, second)[0], y[1]));
}

TEST_CASE("whole squares of a channel go, about a share p, and each image keeps its mean weight") {
  const Tensor x = torch::ones({2, 20, 8, 12, 12}, torch::kDouble);
  const Tensor y = drop_block(x, 0.2, 3, 0, training());
  const Tensor dropped = y.eq(0).to(torch::kDouble);
  // Squares overlap, so that less than p is covered.
  const double share = dropped.mean().item<double>();
  CHECK(share > 0.14);
  CHECK(share < 0.2);
  CHECK(torch::allclose(y.mean(at::IntArrayRef({2, 3, 4})), torch::ones({2, 20}, torch::kDouble)));
  // A map is covered by 3x3 squares: opening it by one leaves it as it is.
  const Tensor flat = dropped.flatten(0, 1);
  const Tensor corners = 1 - torch::max_pool2d(1 - flat, 3, 1);
  const Tensor covered = torch::max_pool2d(torch::constant_pad_nd(corners, {2, 2, 2, 2}), 3, 1);
  CHECK(torch::equal(covered, flat));
}

TEST_CASE("a map smaller than a square loses a channel as a whole") {
  const Tensor x = torch::ones({2, 10, 16, 2, 2}, torch::kDouble);
  const Tensor dropped = drop_block(x, 0.25, 5, 0, training()).eq(0).to(torch::kDouble);
  CHECK(torch::equal(dropped.amax({3, 4}), dropped.amin({3, 4})));
  CHECK(dropped.mean().item<double>() == doctest::Approx(0.25).epsilon(0.3));
}

TEST_CASE("dropping without streams is refused in a line that says what to change") {
  const auto error =
      test::caught([] { dropout(numbers({2, 3, 4}, 1), 0.5, 0, Forward{.training = true}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("random streams for 0 of 2 tasks") != std::string::npos);
}

}  // namespace kshot::dropout_test
