#include "datasets/export.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "datasets/class_index.h"
#include "datasets/image_codec.h"
#include "datasets/safe_path.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// A folder beside the final one that takes its name at the end, or vanishes.
class FolderInProgress {
 public:
  explicit FolderInProgress(const fs::path& path) : path_(path) {
    std::error_code ignored;
    if (fs::exists(path, ignored) &&
        !(fs::is_directory(path, ignored) && fs::is_empty(path, ignored))) {
      throw Error(Exit::bad_spec, "{}: is there already and not an empty folder", path.string());
    }
    const fs::path whole = fs::absolute(path).lexically_normal();
    const fs::path named = whole.has_filename() ? whole : whole.parent_path();
    temporary_ =
        named.parent_path() / fmt::format(".{}.{}.tmp", named.filename().string(), ::getpid());
    make_folder(temporary_);
  }
  ~FolderInProgress() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  FolderInProgress(const FolderInProgress&) = delete;
  FolderInProgress& operator=(const FolderInProgress&) = delete;

  const fs::path& path() const { return temporary_; }

  void commit() {
    std::error_code error;
    fs::remove(path_, error);
    fs::rename(temporary_, fs::absolute(path_).lexically_normal(), error);
    if (error)
      throw Error(Exit::io, "{}: cannot be put in place: {}", path_.string(), error.message());
    temporary_.clear();
  }

 private:
  fs::path path_, temporary_;
};

/// What goes into one folder of images.
struct ClassFolder {
  std::string path;
  std::vector<int64_t> rows;
};

void add_classes(const std::string& prefix, const std::vector<IndexedClass>& classes,
                 const ExportOptions& options, std::vector<ClassFolder>& folders) {
  int64_t taken = 0;
  for (const IndexedClass& indexed : classes) {
    if (indexed.rows.empty() || taken == options.classes) continue;
    if (!stays_inside(indexed.name)) {
      throw Error(Exit::bad_data, "class \"{}\" cannot be written as a folder of that name",
                  indexed.name);
    }
    ClassFolder folder{prefix + indexed.name, indexed.rows};
    folder.rows.resize(
        static_cast<size_t>(std::min(options.images, static_cast<int64_t>(folder.rows.size()))));
    folders.push_back(std::move(folder));
    ++taken;
  }
}

std::vector<ClassFolder> plan_folders(const Manifest& manifest, const ExportOptions& options) {
  std::vector<ClassFolder> folders;
  DatasetView view;
  view.splits = options.splits;
  if (manifest.splits.empty() && options.splits.empty()) {
    Manifest undivided = manifest;  // every class in one split, whose folder is then left out
    undivided.default_split = "all";
    SplitScheme& scheme = undivided.splits["all"];
    for (size_t c = 0; c < manifest.classes.size(); ++c)
      scheme.members["train"].push_back(static_cast<int64_t>(c));
    add_classes("", index_classes(undivided, view, {"train"}), options, folders);
    return folders;
  }
  for (const auto& [split, members] : find_scheme(manifest, view).members) {
    add_classes(split + "/", index_classes(manifest, view, {split}), options, folders);
  }
  return folders;
}

/// The folder as a whole is what appears or not: no need to flush each of many small files.
void write_plainly(const fs::path& path, const std::string& bytes) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file)
    throw Error(Exit::io, "{}: cannot be written: {}", path.string(), std::strerror(errno));
}

void check_images(const Manifest& manifest) {
  const std::vector<int64_t>& shape = manifest.shape;
  if (manifest.dtype != torch::kByte || shape.size() != 3 || (shape[0] != 1 && shape[0] != 3)) {
    throw Error(Exit::bad_spec,
                "data set \"{}\" does not consist of 8-bit gray or RGB images; it cannot be "
                "exported as PNG files",
                manifest.name);
  }
}

}  // namespace

int64_t export_png(const Dataset& dataset, const fs::path& folder, const ExportOptions& options) {
  check_images(dataset.manifest());
  const std::vector<ClassFolder> folders = plan_folders(dataset.manifest(), options);
  FolderInProgress target(folder);
  int64_t written = 0;
  for (size_t i = 0; i < folders.size(); ++i) {
    make_folder(target.path() / folders[i].path);
    const size_t digits = std::max<size_t>(2, std::to_string(folders[i].rows.size()).size());
    for (size_t k = 0; k < folders[i].rows.size(); ++k, ++written) {
      const Tensor image = dataset.load({&folders[i].rows[k], 1})[0];
      write_plainly(target.path() / folders[i].path / fmt::format("{:0{}}.png", k + 1, digits),
                    encode_png(image));
    }
    if (options.progress)
      options.progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(folders.size()));
  }
  target.commit();
  return written;
}

}  // namespace kshot
