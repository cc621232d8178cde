#include "framework/base/rng.h"

#include <cmath>
#include <numbers>
#include <unordered_map>

#include "framework/base/error.h"

namespace kshot {
namespace {

uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Stream::Stream(uint64_t seed, Purpose purpose, uint64_t index)
    : key_(seed), purpose_(static_cast<uint32_t>(purpose)), index_(index) {}

Stream Stream::split(uint64_t k) const {
  // A child gets a key of its own: the parent's position in key space, encrypted. The top bit of
  // the purpose word keeps these blocks apart from those that the parent itself draws.
  const auto a =
      philox4x32({low(k), high(k), purpose_ | 0x80000000u, low(index_)}, {low(key_), high(key_)});
  const auto b = philox4x32({a[2], a[3], high(index_), 0}, {a[0], a[1]});
  Stream child = *this;
  child.key_ = (uint64_t{b[1]} << 32) | b[0];
  child.index_ = (uint64_t{b[3]} << 32) | b[2];
  child.block_ = 0;
  child.used_ = 4;
  return child;
}

uint32_t Stream::next_u32() {
  if (used_ == 4) {
    words_ = philox4x32({block_++, purpose_, low(index_), high(index_)}, {low(key_), high(key_)});
    used_ = 0;
  }
  return words_[static_cast<size_t>(used_++)];
}

uint64_t Stream::next_u64() {
  const uint64_t first = next_u32();
  return (uint64_t{next_u32()} << 32) | first;
}

uint64_t Stream::below(uint64_t n) {
  if (n == 0) throw Error(Exit::internal, "Stream::below(0)");
  // Rejects the few values that would make the first residues more likely.
  const uint64_t limit = -n % n;
  uint64_t value = next_u64();
  while (value < limit) value = next_u64();
  return value % n;
}

double Stream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double Stream::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<int64_t> Stream::choose(int64_t n, int64_t k) {
  if (k < 0 || k > n) throw Error(Exit::internal, "Stream::choose({} of {})", k, n);
  // Fisher-Yates on a sparse array: only the places that moved are stored.
  std::unordered_map<int64_t, int64_t> moved;
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(k));
  const auto at = [&](int64_t i) {
    const auto found = moved.find(i);
    return found == moved.end() ? i : found->second;
  };
  for (int64_t i = 0; i < k; ++i) {
    const int64_t j = i + static_cast<int64_t>(below(static_cast<uint64_t>(n - i)));
    result.push_back(at(j));
    moved[j] = at(i);
  }
  return result;
}

}  // namespace kshot
