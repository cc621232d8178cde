#include "experiments/run/own_pictures.h"

#include <set>
#include <system_error>

#include "datasets/image_set.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool looks_like_image(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// What lies in a folder, sorted: the order of a file system is nobody's.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, problem), end; !problem && it != end;
       it.increment(problem)) {
    if (!hidden(it->path())) entries.push_back(it->path());
  }
  if (problem)
    throw Error(Exit::io, "{}: cannot be read as a folder: {}", folder.string(), problem.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> images = entries_of(folder);
  std::erase_if(images, [](const fs::path& path) {
    return fs::is_directory(path) || !looks_like_image(path);
  });
  return images;
}

ClassFolders read_class_folders(const fs::path& folder, const std::vector<fs::path>& without) {
  std::set<fs::path> excluded;
  for (const fs::path& path : without) excluded.insert(fs::weakly_canonical(path));
  ClassFolders found;
  for (const fs::path& entry : entries_of(folder)) {
    if (!fs::is_directory(entry)) continue;
    std::vector<fs::path> images = images_in(entry);
    if (images.empty())
      throw Error(Exit::bad_data, "{}: no PNG or JPEG image in this class's folder",
                  entry.string());
    std::erase_if(images, [&](const fs::path& path) {
      return excluded.contains(fs::weakly_canonical(path));
    });
    if (images.empty())
      throw Error(Exit::bad_data, "{}: no image beside those of --query", entry.string());
    found.labels.insert(found.labels.end(), images.size(),
                        static_cast<int64_t>(found.classes.size()));
    found.images.insert(found.images.end(), images.begin(), images.end());
    found.classes.push_back(entry.filename().string());
  }
  if (found.classes.size() < 2) {
    throw Error(Exit::bad_data,
                "{}: has {} sub-folders, expected at least 2, one per class with its images inside",
                folder.string(), found.classes.size());
  }
  return found;
}

Tensor load_pictures(const std::vector<fs::path>& paths, const Manifest& manifest,
                     const DatasetView& view) {
  if (manifest.shape.size() != 3) {
    throw Error(Exit::bad_spec, "the samples of \"{}\" are not images but {}", manifest.name,
                fmt::join(manifest.shape, "x"));
  }
  std::vector<Tensor> images;
  for (const fs::path& path : paths) images.push_back(load_image(path, manifest));
  return to_input(torch::stack(images), view);
}

}  // namespace kshot
