#include "datasets/folder_listing.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "datasets/outside_text.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxFolderDepth = 16;  // symbolic links may lead in circles

std::string utf8_name(const fs::path& path) {
  std::string name = path.filename().string();
  if (!is_utf8(name)) {
    throw Error(Exit::bad_data, "{}: the name of {} is not UTF-8", path.parent_path().string(),
                in_quotes(name));
  }
  return name;
}

class Lister {
 public:
  explicit Lister(fs::path top) : top_(std::move(top)) {}

  FolderListing list() {
    const std::map<std::string, fs::path> entries = folder_entries(top_);
    listing_.split_folders = only_splits(entries);
    for (const auto& [name, path] : entries) {
      if (fs::is_directory(path)) {
        const std::string split = listing_.split_folders ? *canonical_split(name) : "";
        walk(path, listing_.split_folders ? "" : name, "", split, name, 0);
      } else {
        count_or_refuse(path, top_);
      }
    }
    if (classes_.empty()) {
      throw Error(Exit::bad_data,
                  "{}: no .png, .jpg or .jpeg image in its sub-folders, one for each class",
                  top_.string());
    }
    for (auto& [name, found] : classes_) listing_.classes.push_back(sorted(std::move(found)));
    return std::move(listing_);
  }

 private:
  static bool only_splits(const std::map<std::string, fs::path>& entries) {
    int folders = 0;
    for (const auto& [name, path] : entries) {
      if (!fs::is_directory(path)) continue;
      if (!canonical_split(name)) return false;
      ++folders;
    }
    return folders > 0;
  }

  void walk(const fs::path& folder, const std::string& name, const std::string& group,
            const std::string& split, const std::string& relative, int depth) {
    if (depth > kMaxFolderDepth)
      throw Error(Exit::bad_data, "{}: folders in folders without end", folder.string());
    for (const auto& [entry, path] : folder_entries(folder)) {
      if (fs::is_directory(path)) {
        walk(path, name.empty() ? entry : name + "/" + entry, name, split, relative + "/" + entry,
             depth + 1);
      } else if (name.empty()) {
        count_or_refuse(path, folder);
      } else if (is_image_file(path)) {
        FolderClass& found = classes_[name];
        found.name = name;
        found.group = group;
        found.images.push_back({path, relative + "/" + entry, split});
      } else {
        ++listing_.ignored;
      }
    }
  }

  void count_or_refuse(const fs::path& file, const fs::path& folder) {
    if (is_image_file(file)) {
      throw Error(Exit::bad_data,
                  "{}: image {} lies beside the class folders; images belong in a sub-folder "
                  "named after their class",
                  folder.string(), file.filename().string());
    }
    ++listing_.ignored;
  }

  /// "train" before "validation" before "test".
  static FolderClass sorted(FolderClass found) {
    const auto key = [](const FolderImage& image) {
      return std::make_tuple(image.split == "test", image.split == "validation", image.relative);
    };
    std::sort(found.images.begin(), found.images.end(),
              [&](const FolderImage& a, const FolderImage& b) { return key(a) < key(b); });
    return found;
  }

  fs::path top_;
  std::map<std::string, FolderClass> classes_;
  FolderListing listing_;
};

}  // namespace

std::map<std::string, fs::path> folder_entries(const fs::path& folder) {
  std::map<std::string, fs::path> entries;
  std::error_code error;
  fs::directory_iterator iterator(folder, error);
  for (; !error && iterator != fs::directory_iterator(); iterator.increment(error)) {
    const std::string name = utf8_name(iterator->path());
    if (!name.starts_with('.')) entries.emplace(name, iterator->path());
  }
  if (error) throw Error(Exit::io, "{}: cannot be read: {}", folder.string(), error.message());
  return entries;
}

bool is_image_file(const fs::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::optional<std::string> canonical_split(const std::string& name) {
  if (name == "train" || name == "test" || name == "validation") return name;
  if (name == "val" || name == "valid") return "validation";
  return std::nullopt;
}

FolderListing list_folder(const fs::path& top) {
  if (!fs::is_directory(top)) throw Error(Exit::io, "{}: not a folder", top.string());
  return Lister(top).list();
}

}  // namespace kshot
