#include "framework/run/score.h"

#include "tests/doctest_torch.h"

namespace kshot::score_test {

TEST_CASE("an accuracy is told in percent, and more of it is better") {
  const Score& score = score_of(TaskKind::classification);
  CHECK(score.name == "accuracy");
  CHECK(score.told(0.91234) == "91.23 %");
  CHECK(score.number(0.0053) == "0.53");
  CHECK(score.signed_number(0.031) == "+3.10");
  CHECK(score.better(0.9, 0.8));
  CHECK_FALSE(score.better(0.8, 0.8));
  CHECK(score.favours_first(0.1));
  CHECK_FALSE(score.favours_first(-0.1));
}

TEST_CASE("a squared error is told to four digits whatever its size, and less of it is better") {
  const Score& score = score_of(TaskKind::regression);
  CHECK(score.name == "mse");
  CHECK(score.told(0.351239) == "mse 0.3512");
  CHECK(score.number(1.23456e-7) == "1.235e-07");
  CHECK(score.signed_number(-0.2) == "-0.2");
  CHECK(score.better(0.1, 0.2));
  CHECK_FALSE(score.better(0.2, 0.2));
  CHECK(score.favours_first(-0.1));
  CHECK_FALSE(score.favours_first(0.1));
}

}  // namespace kshot::score_test
