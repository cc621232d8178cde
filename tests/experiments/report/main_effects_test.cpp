#include "experiments/report/main_effects.h"

#include <doctest/doctest.h>

#include <cmath>

namespace kshot::main_effects_test {

using doctest::Approx;

TEST_CASE("a main effect is the mean over all runs with a value, whatever else they have") {
  // 2 x 2 x 2: lr adds 0.1, steps adds 0.02, the seed 0.001.
  Setting lr{"inner_lr", "inner_lr", {"0.5", "0.5", "0.5", "0.5", "0.1", "0.1", "0.1", "0.1"}};
  Setting steps{"inner_steps", "inner_steps", {"1", "1", "5", "5", "1", "1", "5", "5"}};
  Setting seed{"seed", "seed", {"1", "2", "1", "2", "1", "2", "1", "2"}};
  const std::vector<double> scores{0.80, 0.801, 0.82, 0.821, 0.70, 0.701, 0.72, 0.721};
  const auto effects = main_effects({seed, steps, lr}, scores);
  REQUIRE(effects.size() == 3);
  CHECK(effects[0].setting.path == "inner_lr");
  CHECK(effects[0].size == Approx(0.1));
  CHECK(effects[1].setting.path == "inner_steps");
  CHECK(effects[1].size == Approx(0.02));
  CHECK(effects[2].setting.path == "seed");
  const Level& low = effects[0].levels[0];
  CHECK(low.value == "0.1");
  CHECK(low.summary.mean == Approx(0.7105));
  CHECK(low.scores == std::vector<double>{0.70, 0.701, 0.72, 0.721});
}

TEST_CASE("the seed comes last however much it does") {
  const auto effects =
      main_effects({{"seed", "seed", {"1", "2", "1"}}, {"a", "a", {"x", "x", "y"}}},
                   std::vector<double>{0.1, 0.9, 0.11});
  CHECK(effects.back().setting.path == "seed");
}

TEST_CASE("values stand by size, not by spelling; texts after numbers") {
  const auto effects =
      main_effects({{"a", "a", {"10", "9", "1e-3", "none", "all"}}}, std::vector<double>(5, 0.5));
  std::vector<std::string> values;
  for (const Level& level : effects[0].levels) values.push_back(level.value);
  CHECK(values == std::vector<std::string>{"1e-3", "9", "10", "all", "none"});
}

TEST_CASE("settings that always change together are one, the seed never") {
  const Setting lr{"o.lr", "lr", {"1", "2", "3"}}, schedule{"o.every", "every", {"5", "7", ""}};
  const Setting apart{"b", "b", {"x", "x", "y"}}, seed{"seed", "seed", {"1", "2", "3"}};
  const auto effects = main_effects({lr, schedule, apart, seed}, std::vector<double>{1, 2, 3});
  REQUIRE(effects.size() == 3);
  std::vector<std::string> names;
  for (const MainEffect& effect : effects) names.push_back(effect.setting.name);
  CHECK(names == std::vector<std::string>{"lr, every", "b", "seed"});
  CHECK(effects[0].levels[2].value == "3, -");
}

TEST_CASE("a spread exists from two runs on") {
  const auto effects = main_effects({{"a", "a", {"x", "x", "y"}}}, std::vector<double>{1, 3, 5});
  REQUIRE(effects[0].levels[0].summary.std);
  CHECK(*effects[0].levels[0].summary.std == Approx(std::sqrt(2.0)));
  CHECK(!effects[0].levels[1].summary.std);
}

}  // namespace kshot::main_effects_test
