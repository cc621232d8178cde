#include "framework/run/statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "framework/base/error.h"
#include "framework/base/rng.h"

namespace kshot::statistics_test {

using doctest::Approx;

namespace {

Approx near(double value) { return Approx(value).epsilon(1e-12); }
Approx to_4_digits(double value) { return Approx(value).epsilon(5e-5); }

// ---- a world of classes, to count how often an interval holds the truth

struct World {
  int64_t characters, rotations, episodes, way;
  double character_effect;  // standard deviation between characters
  double rotation_effect;   // between the rotations of one character
  double noise;             // of one episode's accuracy
};

struct Coverage {
  double classes = 0, episodes = 0;  // share of the replications whose interval held the truth
  double standard_error = 0;         // of `classes`, binomial
};

/// As the sampler does: `way` of n classes without replacement. way is small: repeats are redrawn.
void draw_classes(Stream& stream, int64_t n, std::vector<int64_t>& drawn) {
  for (size_t i = 0; i < drawn.size(); ++i) {
    bool again = true;
    while (again) {
      drawn[i] = static_cast<int64_t>(stream.below(static_cast<uint64_t>(n)));
      again = false;
      for (size_t j = 0; j < i; ++j) again = again || drawn[j] == drawn[i];
    }
  }
}

/// Each replication meets new classes and new episodes. An episode's accuracy is the mean of its
/// classes' effects plus noise; the truth is the mean over all classes that there could be.
Coverage coverage(const World& world, int replications, uint64_t seed) {
  constexpr double kTruth = 0.7;
  const auto way = static_cast<size_t>(world.way);
  const auto episodes = static_cast<size_t>(world.episodes);
  std::vector<double> effects(static_cast<size_t>(world.characters * world.rotations));
  std::vector<double> values(episodes);
  std::vector<std::vector<int64_t>> sources(episodes, std::vector<int64_t>(way));
  std::vector<int64_t> drawn(way);

  int held_by_classes = 0, held_by_episodes = 0;
  for (int r = 0; r < replications; ++r) {
    Stream stream(seed, Purpose::algorithm, static_cast<uint64_t>(r));
    for (int64_t c = 0; c < world.characters; ++c) {
      const double effect = world.character_effect * stream.normal();
      for (int64_t k = 0; k < world.rotations; ++k) {
        effects[static_cast<size_t>(k * world.characters + c)] =
            effect + world.rotation_effect * stream.normal();
      }
    }
    for (size_t e = 0; e < episodes; ++e) {
      draw_classes(stream, world.characters * world.rotations, drawn);
      double sum = 0;
      for (size_t i = 0; i < way; ++i) {
        sum += effects[static_cast<size_t>(drawn[i])];
        sources[e][i] = drawn[i] % world.characters;
      }
      values[e] = kTruth + sum / static_cast<double>(way) + world.noise * stream.normal();
    }
    const Summary summary = summarize(values);
    const double miss = std::abs(summary.mean - kTruth);
    if (miss <= class_interval(values, sources, world.way).value()) ++held_by_classes;
    if (miss <= summary.ci95.value()) ++held_by_episodes;
  }
  const double share = held_by_classes / static_cast<double>(replications);
  return {share, held_by_episodes / static_cast<double>(replications),
          std::sqrt(share * (1 - share) / replications)};
}

void show(const Coverage& found) {
  MESSAGE("coverage: class interval " << found.classes << " +- " << found.standard_error
                                      << " (s.e.), episode interval " << found.episodes);
}

constexpr uint64_t kSeed = 20260701;

// Binomial standard error at 95 %: 0.5 % of 2000, 1 % of 500. A build with sanitizers is slow.
#ifdef __SANITIZE_ADDRESS__
constexpr int kReplications = 500;
#else
constexpr int kReplications = 2000;
#endif

}  // namespace

TEST_CASE("Student's t quantiles agree with the printed table") {
  CHECK(std::abs(student_t_quantile(0.975, 1) - 12.706) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.975, 2) - 4.303) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.975, 4) - 2.776) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.975, 10) - 2.228) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.975, 30) - 2.042) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.975, 120) - 1.980) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.95, 5) - 2.015) < 5e-4);
  CHECK(std::abs(student_t_quantile(0.995, 9) - 3.250) < 5e-4);
  CHECK(student_t_quantile(0.025, 7) == near(-student_t_quantile(0.975, 7)));
}

TEST_CASE("p-values are the tail areas behind the t quantiles") {
  for (const double freedom : {1.0, 4.0, 19.0, 599.0}) {
    const StandardError error{.value = 0.02, .freedom = freedom};
    const double edge = student_t_quantile(0.975, freedom) * 0.02;
    CHECK(error.half_width() == near(edge));
    CHECK(error.p_value(edge) == Approx(0.05).epsilon(1e-9));
    CHECK(error.p_value(-edge) == Approx(0.05).epsilon(1e-9));
    CHECK(error.p_value(0) == 1);
  }
  // Freedom 1 is the Cauchy distribution: P(|t| > 1) = 1/2.
  CHECK(StandardError{.value = 1, .freedom = 1}.p_value(1) == near(0.5));
}

TEST_CASE("a summary of five episodes is what a pocket calculator says") {
  // Values 0.8 0.6 1.0 0.6 0.5: sum 3.5, mean 0.7. Deviations 0.1 -0.1 0.3 -0.1 -0.2, squares
  // 0.01 + 0.01 + 0.09 + 0.01 + 0.04 = 0.16. std = sqrt(0.16 / 4) = 0.2. Half-width with
  // t_{4,0.975} = 2.776445: 2.776445 * 0.2 / sqrt(5) = 0.555289 / 2.236068 = 0.248333.
  const std::vector<double> values{0.8, 0.6, 1.0, 0.6, 0.5};
  const Summary summary = summarize(values);
  CHECK(summary.n == 5);
  CHECK(summary.mean == near(0.7));
  CHECK(summary.std.value() == near(0.2));
  CHECK(summary.ci95.value() == Approx(0.248333).epsilon(1e-5));
  CHECK(episode_error(values)->value == near(0.2 / std::sqrt(5.0)));
  CHECK(episode_error(values)->freedom == 4);
}

TEST_CASE("the mean of equal accuracies is that accuracy, to the last bit") {
  CHECK(summarize(std::vector<double>(1000, 0.92)).mean == 0.92);
}

TEST_CASE("one episode has a mean but no interval, and none is refused") {
  const Summary summary = summarize(std::vector<double>{0.25});
  CHECK(summary.mean == 0.25);
  CHECK(summary.n == 1);
  CHECK_FALSE(summary.std.has_value());
  CHECK_FALSE(summary.ci95.has_value());
  CHECK_THROWS_AS(summarize({}), Error);
}

TEST_CASE("equal values have an interval of width nothing") {
  const Summary summary = summarize(std::vector<double>(8, 0.5));
  CHECK(summary.std.value() == 0);
  CHECK(summary.ci95.value() == 0);
}

TEST_CASE("the class interval agrees with a jackknife done by hand") {
  // Four episodes of way 1, so nothing is taken off. C = 3 classes:
  //   A: 0.9, 0.7    B: 0.5    C: 0.3        all: 2.4 / 4 = 0.6
  // theta_-A = (0.5 + 0.3) / 2 = 0.4    theta_-B = 1.9 / 3 = 19/30    theta_-C = 2.1 / 3 = 0.7
  // Their mean: (12 + 19 + 21) / 30 / 3 = 52/90 = 26/45. Deviations in 45ths (18, 28.5, 31.5 less
  // 26): -8, 2.5, 5.5; squares 64 + 6.25 + 30.25 = 100.5, over 45^2 = 2025.
  // SE2_jack = 2/3 * 100.5 / 2025 = 67 / 2025 = 0.0330864.
  // SE2_ep: deviations 0.3 0.1 -0.1 -0.3, squares 0.2, / 3 / 4 = 1/60 = 0.0166667, the smaller.
  // t_{2,0.975} = 4.302653; half-width 4.302653 * sqrt(67)/45 = 4.302653 * 0.1818968 = 0.782639.
  const std::vector<double> values{0.9, 0.7, 0.5, 0.3};
  const std::vector<std::vector<int64_t>> sources{{7}, {7}, {2}, {40}};
  const auto error = class_error(values, sources, 1);
  CHECK(error->freedom == 2);
  CHECK(error->value == near(std::sqrt(67.0) / 45));
  CHECK(class_interval(values, sources, 1).value() == Approx(0.782639).epsilon(1e-5));
}

TEST_CASE("an episode's own noise is taken off way - 1 times") {
  // Six episodes of way 2 over C = 4 classes: every pair once. Class effects 2a = 3 1 -1 -3 (in
  // units u = 0.05 around 0.5) and no noise: pairs AB 4, AC 2, AD 0, BC 0, BD -2, CD -4 units.
  // theta_-A = (0 - 2 - 4) / 3 = -2, theta_-B = (2 + 0 - 4) / 3 = -2/3, by symmetry 2/3 and 2; mean
  // 0. SE2_jack = 3/4 (4 + 4/9 + 4/9 + 4) = 3/4 * 80/9 = 20/3. SE2_ep = (16 + 4 + 0 + 0 + 4 + 16) /
  // 5 / 6 = 40/30 = 4/3. SE2_class = 20/3 - 1 * 4/3 = 16/3 > 4/3.
  constexpr double kUnit = 0.05;
  std::vector<double> values;
  for (const int units : {4, 2, 0, 0, -2, -4}) values.push_back(0.5 + kUnit * units);
  const std::vector<std::vector<int64_t>> sources{{0, 1}, {2, 0}, {0, 3}, {1, 2}, {3, 1}, {2, 3}};
  const auto error = class_error(values, sources, 2);
  CHECK(error->freedom == 3);
  CHECK(error->value == near(kUnit * std::sqrt(16.0 / 3)));
}

TEST_CASE("the class interval is never narrower than the episodes' own error") {
  // The same six pairs, with a pattern that classes do not explain: AB +1, CD +1, AC -1, BD -1.
  // Every class has one of each sign: all theta_-c are 0, so SE2_jack = 0 and SE2_ep = 4/5/6.
  const std::vector<double> values{1, -1, 0, 0, -1, 1};
  const std::vector<std::vector<int64_t>> sources{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
  const auto error = class_error(values, sources, 2);
  CHECK(error->value == near(std::sqrt(4.0 / 30)));
  CHECK(error->freedom == 3);
}

TEST_CASE("two rotations of one class in an episode count as one class") {
  const std::vector<double> values{0.9, 0.4, 0.6, 0.7};
  const std::vector<std::vector<int64_t>> twice{{0, 0}, {1, 2}, {2, 0}, {1, 1}};
  const std::vector<std::vector<int64_t>> once{{0}, {1, 2}, {2, 0}, {1}};
  CHECK(class_error(values, twice, 2)->value == class_error(values, once, 2)->value);
}

TEST_CASE("the class interval depends on neither the classes' numbers nor their order") {
  Stream stream(1, Purpose::algorithm, 0);
  std::vector<double> values;
  std::vector<std::vector<int64_t>> sources, renamed;
  for (int e = 0; e < 50; ++e) {
    values.push_back(stream.uniform());
    const auto drawn = stream.choose(12, 3);
    sources.push_back(drawn);
    renamed.push_back({1000 - 7 * drawn[2], 1000 - 7 * drawn[0], 1000 - 7 * drawn[1]});
  }
  CHECK(class_interval(values, sources, 3).value() ==
        near(class_interval(values, renamed, 3).value()));
}

TEST_CASE("the class interval is absent where leaving a class out leaves nothing") {
  const std::vector<double> three{0.1, 0.5, 0.9};
  using Lists = std::vector<std::vector<int64_t>>;
  CHECK_FALSE(class_error(three, Lists{{4, 5}, {4, 6}, {7, 4}}, 2).has_value());  // 4 is everywhere
  CHECK_FALSE(class_error(three, Lists{{4}, {4}, {4}}, 1).has_value());           // C = 1
  CHECK_FALSE(class_error(std::vector<double>{0.5}, Lists{{1, 2}}, 2).has_value());
  CHECK_FALSE(class_interval({}, {}, 5).has_value());
  CHECK(class_error(three, Lists{{4}, {4}, {5}}, 1).has_value());
  CHECK_THROWS_AS(class_error(three, Lists{{4}}, 1), Error);
}

TEST_CASE("Wilson's interval agrees with values worked out by hand") {
  // 8 of 10, z2 = 3.841459: centre (0.8 + 0.192073) / 1.384146 = 0.716740; reach
  // 1.959964 sqrt(0.016 + 3.841459/400) / 1.384146 = 1.959964 * 0.160014 / 1.384146 = 0.226579.
  const Bounds eight = wilson_interval(8, 10);
  CHECK(eight.low == to_4_digits(0.490162));
  CHECK(eight.high == to_4_digits(0.943318));
  // 0 of n: [0, z2 / (n + z2)] = 3.841459 / 23.841459.
  CHECK(wilson_interval(0, 20).low == Approx(0).epsilon(1e-12));
  CHECK(wilson_interval(0, 20).high == to_4_digits(0.161125));
  CHECK(wilson_interval(0, 0).low == 0);
  CHECK(wilson_interval(0, 0).high == 1);
  CHECK_THROWS_AS(wilson_interval(3, 2), Error);
}

TEST_CASE("Wilson's interval is symmetric in right and wrong and stays inside [0,1]") {
  for (const int64_t total : {1, 7, 100, 10000}) {
    for (int64_t right = 0; right <= total; right += (total + 6) / 7) {
      const Bounds one = wilson_interval(right, total),
                   other = wilson_interval(total - right, total);
      CHECK(one.low == Approx(1 - other.high).epsilon(1e-9));
      CHECK(one.low >= 0);
      CHECK(one.high <= 1);
      CHECK(one.low < one.high);
    }
  }
}

TEST_CASE("the class interval holds the truth in 93-97.5 %: 20 classes, 600 episodes") {
  const World world{.characters = 20,
                    .rotations = 1,
                    .episodes = 600,
                    .way = 5,
                    .character_effect = 0.1,
                    .rotation_effect = 0,
                    .noise = 0.1};
  const Coverage found = coverage(world, kReplications, kSeed);
  show(found);
  CHECK(found.classes >= 0.93);
  CHECK(found.classes <= 0.975);
  CHECK(found.episodes < 0.5);  // what a paper's usual interval says about new classes
}

TEST_CASE("the class interval holds the truth in 93-97.5 %: 423 characters x 4 rotations") {
  World world{.characters = 423,
              .rotations = 4,
              .episodes = 1000,
              .way = 5,
              .character_effect = 0.1,
              .rotation_effect = 0,
              .noise = 0.1};
  SUBCASE("rotations alike") {}
  SUBCASE("rotations with effects of their own") { world.rotation_effect = 0.05; }
  const Coverage found = coverage(world, kReplications, kSeed);
  show(found);
  CHECK(found.classes >= 0.93);
  CHECK(found.classes <= 0.975);
  CHECK(found.episodes < 0.85);
}

TEST_CASE("the class interval holds the truth in at least 94 % where classes do not differ") {
  World world{.characters = 20,
              .rotations = 1,
              .episodes = 600,
              .way = 5,
              .character_effect = 0,
              .rotation_effect = 0,
              .noise = 0.1};
  SUBCASE("20 classes") {}
  SUBCASE("423 characters x 4 rotations") {
    world.characters = 423;
    world.rotations = 4;
    world.episodes = 1000;
  }
  const Coverage found = coverage(world, kReplications, kSeed);
  show(found);
  CHECK(found.classes >= 0.94);
}

}  // namespace kshot::statistics_test
