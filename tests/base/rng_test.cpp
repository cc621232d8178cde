#include "framework/base/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <set>

#include "framework/base/error.h"

namespace kshot::rng_test {

namespace {

using Words = std::array<uint32_t, 4>;

/// The chance that a fair source strays as far from equal counts, or farther.
double chi_square_p(const std::vector<int64_t>& counts) {
  double total = 0, statistic = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  for (const int64_t count : counts) {
    const double difference = static_cast<double>(count) - expected;
    statistic += difference * difference / expected;
  }
  const boost::math::chi_squared law(static_cast<double>(counts.size() - 1));
  return boost::math::cdf(boost::math::complement(law, statistic));
}

std::vector<uint64_t> first_words(Stream stream, int count = 64) {
  std::vector<uint64_t> words;
  for (int i = 0; i < count; ++i) words.push_back(stream.next_u64());
  return words;
}

/// Correlation of two streams' uniforms; its standard error is 1 / sqrt(n).
double correlation(Stream a, Stream b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
  return 12 * sum / n;
}

}  // namespace

TEST_CASE("Philox4x32-10 gives the known answers that Random123 publishes") {
  // Random123, tests/kat_vectors: "philox4x32 10 <counter> <key> <result>".
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t kOnes = 0xffffffff;
  CHECK(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream's numbers are part of every record: they never change") {
  // Word by word from the definition: block b of (seed, purpose, index) is Philox of the counter
  // {b, purpose, index low, index high} under the key {seed low, seed high}.
  const uint64_t seed = 0x0123456789abcdef, index = 0xfedcba9876543210;
  Stream stream(seed, Purpose::dropout, index);
  for (uint32_t block = 0; block < 3; ++block) {
    const Words words = philox4x32({block, 6, 0x76543210, 0xfedcba98}, {0x89abcdef, 0x01234567});
    for (const uint32_t word : words) CHECK(stream.next_u32() == word);
  }
}

TEST_CASE("a stream depends on seed, purpose and index, each in all its bits") {
  std::set<std::vector<uint64_t>> seen;
  size_t streams = 0;
  const auto add = [&](Stream stream) {
    seen.insert(first_words(stream, 2));
    ++streams;
  };
  add({0, Purpose::test_tasks, 0});
  for (int bit = 0; bit < 64; ++bit) {
    add({uint64_t{1} << bit, Purpose::test_tasks, 0});
    add({0, Purpose::test_tasks, uint64_t{1} << bit});
  }
  for (const Purpose purpose :
       {Purpose::initialisation, Purpose::training_tasks, Purpose::validation_tasks,
        Purpose::augmentation, Purpose::glyphs}) {
    add({0, purpose, 0});
  }
  CHECK(seen.size() == streams);
}

TEST_CASE("drawing from one stream never changes another, and a copy goes on where it stands") {
  Stream a(1, Purpose::training_tasks, 5), b(1, Purpose::training_tasks, 6);
  const auto alone = first_words(b);
  for (int i = 0; i < 1000; ++i) a.next_u64();
  CHECK(first_words(b) == alone);
  Stream copy = a;
  CHECK(first_words(copy) == first_words(a));
}

TEST_CASE("streams of neighbouring indices, purposes, seeds and parts are uncorrelated") {
  constexpr int kCount = 20000;
  const double bound = 4 / std::sqrt(kCount);
  const Stream base(1, Purpose::training_tasks, 5);
  CHECK(std::abs(correlation(base, {1, Purpose::training_tasks, 6}, kCount)) < bound);
  CHECK(std::abs(correlation(base, {1, Purpose::validation_tasks, 5}, kCount)) < bound);
  CHECK(std::abs(correlation(base, {2, Purpose::training_tasks, 5}, kCount)) < bound);
  CHECK(std::abs(correlation(base, base.split(0), kCount)) < bound);
  CHECK(std::abs(correlation(base.split(0), base.split(1), kCount)) < bound);
  CHECK(std::abs(correlation(base.split(0), base.split(0).split(0), kCount)) < bound);
}

TEST_CASE("a part of a stream is the same wherever the whole stands, and parts differ") {
  Stream whole(9, Purpose::initialisation, 2);
  const auto part = first_words(whole.split(3));
  whole.next_u32();
  CHECK(first_words(whole.split(3)) == part);

  std::set<std::vector<uint64_t>> seen{first_words(whole, 2)};
  for (uint64_t k = 0; k < 200; ++k) {
    seen.insert(first_words(whole.split(k), 2));
    seen.insert(first_words(whole.split(7).split(k), 2));
    seen.insert(first_words(Stream(9, Purpose::initialisation, 3).split(k), 2));
    seen.insert(first_words(Stream(9, Purpose::glyphs, 2).split(k), 2));
  }
  CHECK(seen.size() == 801);
}

TEST_CASE("below(n) is uniform: chi-square over residues") {
  for (const uint64_t n : {2u, 3u, 7u, 20u, 1692u}) {
    Stream stream(11, Purpose::algorithm, n);
    std::vector<int64_t> counts(n);
    for (int i = 0; i < 200000; ++i) ++counts[stream.below(n)];
    CAPTURE(n);
    CHECK(chi_square_p(counts) > 1e-4);
    CHECK(chi_square_p(counts) < 1 - 1e-4);  // too even is wrong as well
  }
}

TEST_CASE("below(n) is unbiased where plain residues are not: n = 3/4 of 2^64") {
  // With residues alone, the first third of [0, n) would come up twice as often as the rest.
  const uint64_t n = 3 * (uint64_t{1} << 62);
  Stream stream(12, Purpose::algorithm, 0);
  std::vector<int64_t> thirds(3);
  for (int i = 0; i < 30000; ++i) ++thirds[stream.below(n) / (n / 3)];
  CHECK(chi_square_p(thirds) > 1e-4);
}

TEST_CASE("below(1) is 0 and below(0) is refused") {
  Stream stream(1, Purpose::algorithm, 0);
  CHECK(stream.below(1) == 0);
  CHECK_THROWS_AS(stream.below(0), Error);
}

TEST_CASE("choose gives k different values, each place uniform over all n") {
  constexpr int64_t kN = 12, kK = 5;
  Stream stream(13, Purpose::algorithm, 0);
  std::vector<std::vector<int64_t>> places(kK, std::vector<int64_t>(kN));
  std::vector<int64_t> pairs(kN * kN);  // of the first two
  for (int i = 0; i < 60000; ++i) {
    const auto drawn = stream.choose(kN, kK);
    REQUIRE(std::set<int64_t>(drawn.begin(), drawn.end()).size() == kK);
    for (size_t place = 0; place < kK; ++place) {
      REQUIRE(drawn[place] >= 0);
      REQUIRE(drawn[place] < kN);
      ++places[place][static_cast<size_t>(drawn[place])];
    }
    ++pairs[static_cast<size_t>(drawn[0] * kN + drawn[1])];
  }
  for (const auto& counts : places) CHECK(chi_square_p(counts) > 1e-4);
  std::vector<int64_t> possible;
  for (int64_t a = 0; a < kN; ++a) {
    for (int64_t b = 0; b < kN; ++b) {
      if (a != b) possible.push_back(pairs[static_cast<size_t>(a * kN + b)]);
    }
  }
  CHECK(chi_square_p(possible) > 1e-4);
}

TEST_CASE("permutation is uniform over all orders") {
  Stream stream(14, Purpose::algorithm, 0);
  std::vector<std::vector<int64_t>> orders;
  std::vector<int64_t> order{0, 1, 2, 3};
  do {
    orders.push_back(order);
  } while (std::next_permutation(order.begin(), order.end()));
  std::vector<int64_t> counts(orders.size());
  for (int i = 0; i < 48000; ++i) {
    const auto found = std::lower_bound(orders.begin(), orders.end(), stream.permutation(4));
    ++counts[static_cast<size_t>(found - orders.begin())];
  }
  CHECK(chi_square_p(counts) > 1e-4);
}

TEST_CASE("choose of nothing is empty; of too many is refused") {
  Stream stream(1, Purpose::algorithm, 0);
  CHECK(stream.choose(5, 0).empty());
  CHECK(stream.choose(0, 0).empty());
  CHECK_THROWS_AS(stream.choose(4, 5), Error);
  CHECK_THROWS_AS(stream.choose(4, -1), Error);
}

TEST_CASE("uniform lies in [0, 1) and is uniform") {
  Stream stream(15, Purpose::algorithm, 0);
  std::vector<int64_t> bins(50);
  for (int i = 0; i < 100000; ++i) {
    const double value = stream.uniform();
    REQUIRE(value >= 0);
    REQUIRE(value < 1);
    ++bins[static_cast<size_t>(value * 50)];
  }
  CHECK(chi_square_p(bins) > 1e-4);
  for (int i = 0; i < 1000; ++i) {
    const double value = stream.uniform(-3, 5);
    REQUIRE(value >= -3);
    REQUIRE(value < 5);
  }
}

TEST_CASE("normal has the moments of a standard normal and its quantiles") {
  constexpr int kCount = 200000;
  Stream stream(16, Purpose::algorithm, 0);
  double moments[5] = {};
  std::vector<int64_t> quarters(4);
  for (int i = 0; i < kCount; ++i) {
    const double value = stream.normal();
    double power = 1;
    for (double& moment : moments) {
      moment += power / kCount;
      power *= value;
    }
    constexpr double kQuartile = 0.6744897501960817;
    ++quarters[value < -kQuartile ? 0 : value < 0 ? 1 : value < kQuartile ? 2 : 3];
  }
  // The moments 0 1 0 3 have variances 1, 2, 15 and 96 over n; four standard errors each.
  const double scale = 4 / std::sqrt(kCount);
  CHECK(std::abs(moments[1] - 0) < scale);
  CHECK(std::abs(moments[2] - 1) < scale * std::sqrt(2.0));
  CHECK(std::abs(moments[3] - 0) < scale * std::sqrt(15.0));
  CHECK(std::abs(moments[4] - 3) < scale * std::sqrt(96.0));
  CHECK(chi_square_p(quarters) > 1e-4);
}

}  // namespace kshot::rng_test
