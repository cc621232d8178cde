#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kshot {

/// Where the images of mini-ImageNet lie on this disk.
class MiniImageNetFiles {
 public:
  explicit MiniImageNetFiles(std::vector<std::filesystem::path> folders);

  /// The files of a class for the names that the lists give, in their order; an empty path where
  /// there is none. Looked for in each folder as ID/NAME, images/ID/NAME, images/NAME and NAME,
  /// with any ending of an image. A class folder of ImageNet's own (n01532829_1234.JPEG) serves
  /// too: name n0153282900000005.jpg then means the fifth image by its number. Throws Error(io),
  /// Error(bad_data) for a folder that cannot be read.
  std::vector<std::filesystem::path> find(const std::string& wordnet_id,
                                          const std::vector<std::string>& names);

 private:
  using Paths = std::map<std::string, std::filesystem::path>;
  const Paths& images_in(const std::filesystem::path& folder);

  std::vector<std::filesystem::path> folders_;
  std::map<std::filesystem::path, Paths> read_;  // by the stem of a file's name; read once
};

}  // namespace kshot
