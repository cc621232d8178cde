#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace kshot {

/// One block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What random numbers are for. Streams of different purposes never overlap.
/// The values are part of every recorded result: add at the end, never renumber.
enum class Purpose : uint32_t {
  initialisation = 1,
  training_tasks = 2,
  validation_tasks = 3,
  test_tasks = 4,
  augmentation = 5,
  dropout = 6,
  minibatches = 7,
  algorithm = 8,  ///< an algorithm's own draws inside a task
  glyphs = 9,
  splits = 10,
  sweep = 11,  ///< the random settings of a sweep
};

/// A stream of random numbers that is a pure function of (seed, purpose, index): counter-based, so
/// drawing from one stream never changes another. 2^34 words long.
/// Copies start where the original stands.
class Stream {
 public:
  Stream(uint64_t seed, Purpose purpose, uint64_t index);

  /// An independent stream, for parts of a whole: parameter k, class k, image k.
  Stream split(uint64_t k) const;

  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, n), without bias; n > 0.
  uint64_t below(uint64_t n);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller; one value a call, so that draws stay easy to count).
  double normal();

  /// k different values of [0, n) in random order; 0 <= k <= n.
  std::vector<int64_t> choose(int64_t n, int64_t k);
  std::vector<int64_t> permutation(int64_t n) { return choose(n, n); }

 private:
  uint64_t key_;
  uint32_t purpose_;
  uint64_t index_;
  uint32_t block_ = 0;
  std::array<uint32_t, 4> words_{};
  int used_ = 4;  // of words_
};

}  // namespace kshot
