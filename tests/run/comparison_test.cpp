#include "framework/run/comparison.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "framework/base/error.h"
#include "framework/base/rng.h"

namespace kshot::comparison_test {

using doctest::Approx;

namespace {

using Lists = std::vector<std::vector<int64_t>>;

Approx near(double value) { return Approx(value).epsilon(1e-12); }

/// Episodes over `classes` classes with a common difficulty that all methods share.
struct Setting {
  Lists sources;
  std::vector<double> difficulty;

  Setting(int64_t classes, int64_t way, int episodes, Stream stream) {
    for (int e = 0; e < episodes; ++e) {
      sources.push_back(stream.choose(classes, way));
      difficulty.push_back(0.6 + 0.1 * stream.normal());
    }
  }

  std::vector<double> method(double better, double noise, Stream stream) const {
    std::vector<double> values = difficulty;
    for (double& value : values) value += better + noise * stream.normal();
    return values;
  }
};

Stream stream_of(uint64_t index) { return Stream(3, Purpose::algorithm, index); }

}  // namespace

TEST_CASE("a paired comparison of four episodes agrees with one done by hand") {
  // Differences 0.3 0.1 -0.1 0.1: mean 0.1; deviations 0.2 0 -0.2 0, squares 0.08;
  // SE_ep = sqrt(0.08 / 3 / 4) = sqrt(1/150) = 0.0816497; t = 1.2247449 with 3 degrees of freedom.
  // The t distribution of 3 in closed form: P(T > t) = 1/2 - (x/(1+x^2) + atan x) / pi, x =
  // t/sqrt(3) = sqrt(1.5/3) = 0.7071068: x/(1+x^2) = 0.4714045, atan x = 0.6154797, sum 1.0868842 /
  // pi = 0.3459660; p = 2 * 0.1540340 = 0.3080680. Classes, way 1: A {0.3, 0.1}, B {-0.1}, C {0.1}:
  // theta_-A = 0, theta_-B = 0.5/3, theta_-C = 0.1. In 30ths: 0, 5, 3; mean 8/3; deviations -8/3,
  // 7/3, 1/3; squares (64 + 49 + 1) / 9 = 38/3. SE2_jack = 2/3 * 38/3 / 900 = 76/8100 > 1/150 =
  // 54/8100.
  const std::vector<double> first{0.9, 0.7, 0.4, 0.6}, second{0.6, 0.6, 0.5, 0.5};
  const Comparison result = compare(first, second, Lists{{0}, {0}, {1}, {2}}, 1);
  CHECK(result.episodes == 4);
  CHECK(result.difference == near(0.1));
  CHECK(result.on_episodes->value == near(std::sqrt(1.0 / 150)));
  CHECK(result.p_episodes().value() == Approx(0.308068).epsilon(1e-5));
  CHECK(result.on_classes->value == near(std::sqrt(76.0 / 8100)));
  CHECK(result.on_classes->freedom == 2);
  // Two degrees of freedom: P(|T| > t) = 1 - t / sqrt(2 + t^2), t^2 = 0.01 * 8100/76 = 81/76.
  CHECK(result.p_classes().value() == near(1 - std::sqrt((81.0 / 76) / (2 + 81.0 / 76))));
  CHECK(result.p_value() == result.p_classes().value());
  CHECK(result.ci95_classes().value() == Approx(4.302653 * std::sqrt(76.0) / 90).epsilon(1e-6));
}

TEST_CASE("a comparison is symmetric: swapping the methods flips the sign alone") {
  const Setting setting(20, 5, 200, stream_of(0));
  const auto a = setting.method(0.02, 0.1, stream_of(1)), b = setting.method(0, 0.1, stream_of(2));
  const Comparison one = compare(a, b, setting.sources, 5),
                   other = compare(b, a, setting.sources, 5);
  CHECK(one.difference == -other.difference);
  CHECK(one.on_episodes->value == other.on_episodes->value);
  CHECK(one.on_classes->value == other.on_classes->value);
  CHECK(one.p_episodes() == other.p_episodes());
  CHECK(one.p_classes() == other.p_classes());
}

TEST_CASE("pairing removes the difficulty that methods share") {
  const Setting setting(20, 5, 400, stream_of(0));
  const auto a = setting.method(0.01, 0.02, stream_of(1)),
             b = setting.method(0, 0.02, stream_of(2));
  const Comparison result = compare(a, b, setting.sources, 5);
  CHECK(result.p_episodes().value() < 1e-6);
  CHECK(result.p_value() < 0.05);
  CHECK(result.ci95_episodes().value() < 0.5 * summarize(a).ci95.value());
}

TEST_CASE("the same run twice cannot be told apart: p = 1") {
  const Setting setting(20, 5, 100, stream_of(0));
  const Comparison result = compare(setting.difficulty, setting.difficulty, setting.sources, 5);
  CHECK(result.difference == 0);
  CHECK(result.ci95_episodes().value() == 0);
  CHECK(result.ci95_classes().value() == 0);
  CHECK(result.p_episodes().value() == 1);
  CHECK(result.p_classes().value() == 1);
}

TEST_CASE("a difference that is the same in every episode is certain: p = 0") {
  const std::vector<double> first(40, 0.75), second(40, 0.5);
  Lists sources;
  for (int64_t e = 0; e < 40; ++e) sources.push_back({e % 8, (e + 3) % 8});
  const Comparison result = compare(first, second, sources, 2);
  CHECK(result.difference == 0.25);
  CHECK(result.p_episodes().value() == 0);
  CHECK(result.p_classes().value() == 0);

  const std::vector<double> rounded(40, 0.9), rounded_too(40, 0.8);  // 0.1 up to rounding
  CHECK(compare(rounded, rounded_too, sources, 2).p_value() < 1e-12);
}

TEST_CASE("without a class interval the episodes decide, and without either nothing differs") {
  const std::vector<double> first{0.9, 0.8, 0.7}, second{0.1, 0.2, 0.1};
  const Comparison everywhere = compare(first, second, Lists{{0}, {0}, {0}}, 1);
  CHECK_FALSE(everywhere.p_classes().has_value());
  CHECK_FALSE(everywhere.ci95_classes().has_value());
  CHECK(everywhere.p_value() == everywhere.p_episodes().value());

  const Comparison one = compare(std::vector<double>{1}, std::vector<double>{0}, Lists{{0}}, 1);
  CHECK(one.difference == 1);
  CHECK_FALSE(one.p_episodes().has_value());
  CHECK(one.p_value() == 1);
}

TEST_CASE("methods tested on different numbers of episodes are not compared") {
  const std::vector<double> two{1, 0}, three{1, 0, 1};
  CHECK_THROWS_WITH_AS(compare(two, three, Lists{{0}, {1}}, 1),
                       "a paired comparison needs the same episodes; one method has 2, the other 3",
                       Error);
}

TEST_CASE("under no difference, the class-based test errs in at most 5 % and a bit") {
  // Two methods with class effects of their own: on these 20 classes one is better, on new ones
  // neither is. The test over classes must not cry wolf; the one over episodes does.
  int by_classes = 0, by_episodes = 0;
  constexpr int kReplications = 400;
  for (uint64_t r = 0; r < kReplications; ++r) {
    Stream stream(4, Purpose::algorithm, r);
    std::vector<double> effects(20);
    for (double& effect : effects) effect = 0.1 * stream.normal();
    const Setting setting(20, 5, 300, stream.split(1));
    auto a = setting.method(0, 0.05, stream.split(2)), b = setting.method(0, 0.05, stream.split(3));
    for (size_t e = 0; e < a.size(); ++e) {
      for (const int64_t c : setting.sources[e]) a[e] += effects[static_cast<size_t>(c)] / 5;
    }
    const Comparison result = compare(a, b, setting.sources, 5);
    by_classes += result.p_classes().value() < 0.05 ? 1 : 0;
    by_episodes += result.p_episodes().value() < 0.05 ? 1 : 0;
  }
  MESSAGE("wrongly told apart: by classes " << by_classes << ", by episodes " << by_episodes
                                            << " of " << kReplications);
  CHECK(by_classes <= 0.075 * kReplications);  // 0.05 + 2.3 binomial standard errors
  CHECK(by_episodes >= 0.4 * kReplications);
}

TEST_CASE("Holm's correction agrees with a worked example") {
  // p = 0.01 0.04 0.03 0.005 (m = 4). Sorted: 0.005 x4 = 0.02, 0.01 x3 = 0.03, 0.03 x2 = 0.06,
  // 0.04 x1 = 0.04 -> 0.06 (never below the one before). At 0.05 the first two are rejected.
  const std::vector<double> corrected = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  CHECK(corrected[0] == near(0.03));
  CHECK(corrected[1] == near(0.06));
  CHECK(corrected[2] == near(0.06));
  CHECK(corrected[3] == near(0.02));
}

TEST_CASE("Holm's correction never passes 1, keeps the order, and leaves a single test alone") {
  CHECK(holm(std::vector<double>{0.5, 0.6, 1.0}) == std::vector<double>{1, 1, 1});
  CHECK(holm(std::vector<double>{0.04}) == std::vector<double>{0.04});
  CHECK(holm({}).empty());
  Stream stream = stream_of(9);
  std::vector<double> p(30);
  for (double& value : p) value = stream.uniform() * stream.uniform();
  const std::vector<double> corrected = holm(p);
  for (size_t i = 0; i < p.size(); ++i) {
    CHECK(corrected[i] >= p[i]);
    for (size_t j = 0; j < p.size(); ++j) {
      if (p[i] <= p[j]) CHECK(corrected[i] <= corrected[j]);
    }
  }
}

TEST_CASE("shared ranks follow the group leader: worked examples") {
  const std::vector<double> means{0.70, 0.90, 0.88, 0.60};
  const auto apart = [](const std::set<std::pair<size_t, size_t>>& pairs) {
    return [pairs](size_t i, size_t j) { return pairs.contains(std::minmax(i, j)); };
  };
  using Ranks = std::vector<int64_t>;
  SUBCASE("all differ: places in order of the mean") {
    CHECK(shared_ranks(means, [](size_t, size_t) { return true; }) == Ranks{3, 1, 2, 4});
  }
  SUBCASE("none differ: one group") {
    CHECK(shared_ranks(means, [](size_t, size_t) { return false; }) == Ranks{1, 1, 1, 1});
  }
  SUBCASE("two groups of two: 1, 1, 3, 3") {
    CHECK(shared_ranks(means, apart({{0, 1}, {0, 2}, {1, 3}, {2, 3}})) == Ranks{3, 1, 1, 3});
  }
  SUBCASE("a chain breaks at the leader, though neighbours cannot be told apart") {
    // Best 1, then 2, 0, 3. 0 differs from leader 1 though not from 2; then 3 meets leader 0.
    CHECK(shared_ranks(means, apart({{0, 1}, {1, 3}})) == Ranks{3, 1, 1, 3});
  }
  SUBCASE("a later method is measured at the leader of the current group only") {
    // 2 differs from 1 and leads; 0 and 3 differ from neither 1 nor 2: they stand with 2, below 1.
    CHECK(shared_ranks(means, apart({{1, 2}})) == Ranks{2, 1, 2, 2});
  }
  SUBCASE("equal means keep the order given") {
    CHECK(shared_ranks(std::vector<double>{0.5, 0.5}, [](size_t, size_t) { return true; }) ==
          Ranks{1, 2});
  }
  SUBCASE("one method, or none") {
    CHECK(shared_ranks(std::vector<double>{0.5}, [](size_t, size_t) { return true; }) == Ranks{1});
    CHECK(shared_ranks({}, [](size_t, size_t) { return true; }).empty());
  }
}

TEST_CASE("methods are ranked by corrected paired differences on the same episodes") {
  const Setting setting(40, 5, 600, stream_of(0));
  const auto weak = setting.method(-0.2, 0.05, stream_of(1));
  const auto good = setting.method(0.10, 0.05, stream_of(2));
  const auto& twin = good;
  const auto middle = setting.method(0.0, 0.05, stream_of(3));
  const std::vector<Method> methods{weak, good, twin, middle};
  const Ranking ranking = rank_methods(methods, setting.sources, 5);
  CHECK(ranking.ranks == std::vector<int64_t>{4, 1, 1, 3});
  CHECK(ranking.pairs.size() == 6);
  CHECK_FALSE(ranking.pair(2, 1).differs);
  CHECK(ranking.pair(1, 2).corrected_p == 1);
  CHECK(ranking.pair(0, 3).differs);
  CHECK(ranking.pair(0, 3).comparison.difference < 0);
  for (const auto& pair : ranking.pairs) CHECK(pair.corrected_p >= pair.comparison.p_value());
  CHECK_THROWS_AS(ranking.pair(1, 1), Error);
}

TEST_CASE("correction for many comparisons can join methods that one comparison would part") {
  // p = 0.02 alone is a difference; as one of three with p-values 0.02 0.02 0.9 it is not (0.06).
  CHECK(holm(std::vector<double>{0.02})[0] < 0.05);
  CHECK(holm(std::vector<double>{0.02, 0.02, 0.9})[0] == near(0.06));
}

}  // namespace kshot::comparison_test
