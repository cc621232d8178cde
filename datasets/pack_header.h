#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace kshot {

/// The 512 bytes in front of a pack's HDF5 file (its "user block"), little-endian:
///   0  "KSHOTPAK"          8  format version, 32 bits      12  four zero bytes
///   16 length of the rest, 64 bits                         24  sha256 of the rest, 64 hex digits
///   88 zeros up to 512
/// They are checked before HDF5 sees anything.
struct PackHeader {
  static constexpr uint64_t kBytes = 512;
  static constexpr uint32_t kVersion = 1;

  uint64_t length = 0;
  std::string sha256;
};

std::string encode_header(const PackHeader& header);

/// Reads the header and compares it with the file's length. Throws Error(io) where the file cannot
/// be read, Error(bad_data) for another magic, another version, a truncated file, any byte out of
/// place.
PackHeader read_pack_header(const std::filesystem::path& path);

}  // namespace kshot
