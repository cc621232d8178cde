#include "datasets/pack_header.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr std::string_view kPackMagic = "KSHOTPAK";

void put(std::string& block, size_t at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    block[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
}

uint64_t get(const std::string& block, size_t at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= uint64_t{static_cast<unsigned char>(block[at + static_cast<size_t>(i)])} << (8 * i);
  }
  return value;
}

std::string read_block(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string block(PackHeader::kBytes, '\0');
  if (!file || std::filesystem::is_directory(path)) {
    throw Error(Exit::io, "{}: cannot be read: {}", path.string(),
                file ? "a folder" : std::strerror(errno));
  }
  file.read(block.data(), static_cast<std::streamsize>(block.size()));
  block.resize(static_cast<size_t>(file.gcount()));
  return block;
}

}  // namespace

std::string encode_header(const PackHeader& header) {
  std::string block(PackHeader::kBytes, '\0');
  block.replace(0, kPackMagic.size(), kPackMagic);
  put(block, 8, PackHeader::kVersion, 4);
  put(block, 16, header.length, 8);
  block.replace(24, 64, header.sha256);
  block.resize(PackHeader::kBytes);
  return block;
}

PackHeader read_pack_header(const std::filesystem::path& path) {
  const std::string block = read_block(path);
  if (!block.starts_with(kPackMagic)) {
    throw Error(Exit::bad_data, "{}: not a kshot data pack (it does not begin with {})",
                path.string(), kPackMagic);
  }
  if (block.size() < PackHeader::kBytes) {
    throw Error(Exit::bad_data, "{}: truncated: {} bytes", path.string(), block.size());
  }
  const uint64_t version = get(block, 8, 4);
  if (version != PackHeader::kVersion) {
    throw Error(Exit::bad_data, "{}: pack format {}, this program reads format {}", path.string(),
                version, PackHeader::kVersion);
  }
  const PackHeader header{.length = get(block, 16, 8), .sha256 = block.substr(24, 64)};
  const auto is_hex = [](char c) { return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f'); };
  if (!std::all_of(header.sha256.begin(), header.sha256.end(), is_hex) ||
      encode_header(header) != block) {
    throw Error(Exit::bad_data, "{}: damaged: its header is not as it was written", path.string());
  }
  const uint64_t size = std::filesystem::file_size(path);
  if (size - PackHeader::kBytes != header.length) {
    throw Error(Exit::bad_data, "{}: {}: {} bytes, its header says {}", path.string(),
                size - PackHeader::kBytes < header.length ? "truncated" : "damaged", size,
                header.length + PackHeader::kBytes);
  }
  return header;
}

}  // namespace kshot
