#pragma once
// Files and data sets that the tests of datasets/ are made of.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace kshot::test {

inline void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A gray image of that height and width, all pixels different from their neighbours and from other
/// `shade`s.
inline Tensor gray_image(int64_t height, int64_t width, int64_t shade = 0) {
  const Tensor y = torch::arange(height).view({1, height, 1}),
               x = torch::arange(width).view({1, 1, width});
  return ((37 * y + 53 * x * x + 11 * x * y + 5 * shade) % 256).to(torch::kByte);
}

inline std::vector<int64_t> all_rows(const Manifest& manifest) {
  std::vector<int64_t> rows(static_cast<size_t>(manifest.samples()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return rows;
}

/// Three classes of 4, 1 and 3 images of [1,4,4], with a scheme of each kind.
inline Manifest toy_manifest() {
  Manifest manifest;
  manifest.name = "toy";
  manifest.shape = {1, 4, 4};
  manifest.classes = {{"a/one", "a", 0, 4}, {"a/two", "a", 4, 1}, {"b/\xc3\xa9", "b", 5, 3}};
  manifest.splits["by_class"].members = {{"train", {0, 2}}, {"test", {1}}};
  manifest.splits["by_image"].kind = SplitScheme::Kind::images;
  manifest.splits["by_image"].members = {
      {"train", {0, 1, 5}}, {"validation", {2, 6}}, {"test", {3, 7}}};
  manifest.default_split = "by_class";
  manifest.source = "made up", manifest.licence = "none", manifest.resize = "none";
  return manifest;
}

inline Tensor toy_samples() {
  return torch::arange(8 * 16).remainder(251).to(torch::kByte).view({8, 1, 4, 4});
}

/// Folders of a real download, or empty: below KSHOT_DATA, else below ../shared/data.
std::filesystem::path real_data(const std::string& folder);

// ---- PNG files made by hand, so that they may lie. Checksums are always right.

struct PngParts {
  uint32_t width = 1, height = 1;
  int bit_depth = 8, colour_type = 0;
  std::string palette = {}, transparency = {};
  std::string scanlines = {};     ///< each begins with its filter byte
  std::string after_header = {};  ///< further chunks
};

std::string png_chunk(std::string_view type, std::string_view data);
std::string make_png(const PngParts& parts);

// ---- archives

struct ArchiveItem {
  std::string path, bytes;
  std::string link = {};  ///< target of a symbolic link
};

/// `format` is "zip" or "tar.gz".
void write_archive(const std::filesystem::path& path, const std::vector<ArchiveItem>& items,
                   const std::string& format = "zip");

}  // namespace kshot::test
