#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace kshot {

/// SHA-256 over a sequence of bytes; hex() ends it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }
  /// 64 hexadecimal digits. The object is not used after that.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view text);
/// The first 64 bits of the hash, for seeds derived from names.
uint64_t sha256_u64(std::string_view text);
/// Of a file from `offset` on. Throws Error(io) where it cannot be read.
std::string sha256_file(const std::filesystem::path& path, uint64_t offset = 0);

}  // namespace kshot
