#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kshot {

struct FolderImage {
  std::filesystem::path file;
  std::string relative;  ///< to the folder that was listed, with '/'
  std::string split;  ///< "train", "validation", "test", from a sub-folder of that name; or empty
};

/// A folder that holds images: its name is its path below the top (or below the split's folder),
/// its group the path of the folder it lies in: "Greek/character03" of group "Greek".
struct FolderClass {
  std::string name, group;
  std::vector<FolderImage> images;
};

struct FolderListing {
  std::vector<FolderClass> classes;  ///< by name; their images by split, then by path
  bool split_folders = false;        ///< the top holds nothing but train, val or validation, test
  int64_t ignored = 0;               ///< files that are neither .png nor .jpg nor .jpeg
};

/// "train", "validation" or "test" for the names that people use ("val", "valid"); otherwise
/// nothing.
std::optional<std::string> canonical_split(const std::string& name);

/// What lies in a folder, hidden entries left out, by name. Throws Error(io), and Error(bad_data)
/// for a name that is not UTF-8.
std::map<std::string, std::filesystem::path> folder_entries(const std::filesystem::path& folder);

/// By its name: .png, .jpg or .jpeg in small or capital letters.
bool is_image_file(const std::filesystem::path& file);

/// Finds the images below a folder; hidden files and folders are skipped. The order does not depend
/// on the file system. Throws Error(bad_data): no image, images beside the class folders, a name
/// that is not UTF-8; Error(io).
FolderListing list_folder(const std::filesystem::path& top);

}  // namespace kshot
