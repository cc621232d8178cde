#include "tests/datasets/sample_files.h"

#include <archive.h>
#include <archive_entry.h>

#include <cstdlib>

namespace kshot::test {
namespace {

std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
  }
  return ~crc;
}

uint32_t adler32(std::string_view bytes) {
  uint32_t a = 1, b = 0;
  for (const unsigned char byte : bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

/// One stored deflate block.
std::string zlib_stored(std::string_view bytes) {
  const auto size = static_cast<uint16_t>(bytes.size());
  std::string result = "\x78\x01\x01";
  for (const uint16_t value : {size, static_cast<uint16_t>(~size)}) {
    result += static_cast<char>(value);
    result += static_cast<char>(value >> 8);
  }
  return result.append(bytes) + big_endian(adler32(bytes));
}

}  // namespace

std::filesystem::path real_data(const std::string& folder) {
  std::vector<std::filesystem::path> places;
  if (const char* given = std::getenv("KSHOT_DATA")) places.emplace_back(given);
#ifdef KSHOT_SOURCE_DIR
  places.emplace_back(std::filesystem::path(KSHOT_SOURCE_DIR) / ".." / "shared" / "data");
#endif
  for (const std::filesystem::path& place : places) {
    if (std::filesystem::is_directory(place / folder)) return place / folder;
  }
  return {};
}

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string content = std::string(type).append(data);
  return big_endian(static_cast<uint32_t>(data.size())) + content + big_endian(crc32(content));
}

std::string make_png(const PngParts& parts) {
  std::string header = big_endian(parts.width) + big_endian(parts.height);
  header += static_cast<char>(parts.bit_depth);
  header += static_cast<char>(parts.colour_type);
  header.append(3, '\0');
  std::string png = "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + parts.after_header;
  if (!parts.palette.empty()) png += png_chunk("PLTE", parts.palette);
  if (!parts.transparency.empty()) png += png_chunk("tRNS", parts.transparency);
  return png + png_chunk("IDAT", zlib_stored(parts.scanlines)) + png_chunk("IEND", "");
}

void write_archive(const std::filesystem::path& path, const std::vector<ArchiveItem>& items,
                   const std::string& format) {
  archive* output = archive_write_new();
  if (format == "zip") {
    archive_write_set_format_zip(output);
  } else {
    archive_write_set_format_pax_restricted(output);
    archive_write_add_filter_gzip(output);
  }
  archive_write_open_filename(output, path.c_str());
  for (const ArchiveItem& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_perm(entry, 0644);
    if (item.link.empty()) {
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_size(entry, static_cast<la_int64_t>(item.bytes.size()));
    } else {
      archive_entry_set_filetype(entry, AE_IFLNK);
      archive_entry_set_symlink(entry, item.link.c_str());
    }
    archive_write_header(output, entry);
    archive_write_data(output, item.bytes.data(), item.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_free(output);
}

}  // namespace kshot::test
