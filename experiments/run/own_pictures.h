#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/class_index.h"

namespace kshot {

/// Pictures of a user sorted into classes: one sub-folder per class.
struct ClassFolders {
  std::vector<std::string> classes;           ///< names of the sub-folders, sorted
  std::vector<std::filesystem::path> images;  ///< of all classes, class by class
  std::vector<int64_t> labels;                ///< the class of each image
};

/// PNG and JPEG files directly in a folder, sorted; hidden files and others are passed over.
/// Throws Error(io) where it cannot be read.
std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder);

/// Files that are also among `without` are passed over: a picture is not its own example.
/// Throws Error(bad_data) where there are fewer than two sub-folders or one without an image,
/// Error(io) where the folder cannot be read.
ClassFolders read_class_folders(const std::filesystem::path& folder,
                                const std::vector<std::filesystem::path>& without = {});

/// Pictures as a network that was trained on `manifest` wants them: channels, size and resampling
/// of its data, then as `view` says. float32 [n,C,H,W]. Throws Error(bad_data) for a file that is
/// no picture, Error(io) for one that cannot be read, Error(bad_spec) where the data set's samples
/// are not images.
Tensor load_pictures(const std::vector<std::filesystem::path>& paths, const Manifest& manifest,
                     const DatasetView& view);

}  // namespace kshot
