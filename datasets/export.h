#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include "datasets/dataset.h"
#include "datasets/image_set.h"

namespace kshot {

struct ExportOptions {
  std::string
      splits;  ///< the scheme that makes the folders train, validation, test; "" = the default one
  int64_t classes = std::numeric_limits<int64_t>::max();  ///< at most so many of each split
  int64_t images =
      std::numeric_limits<int64_t>::max();  ///< at most so many of each class (and split)
  ImportProgress progress = {};
};

/// Writes images as PNG files, <folder>/<split>/<class>/<NN>.png, which `kshot data import folder`
/// takes back; NN counts a class's images from 01. A data set without splits has no <split>
/// folders; what is in no split is left out. The folder appears whole or not at all. Returns how
/// many files were written. Throws Error(bad_spec) where the data set does not consist of images,
/// or the folder is there and not empty; Error(bad_data) for a class name that cannot be a folder;
/// Error(io).
int64_t export_png(const Dataset& dataset, const std::filesystem::path& folder,
                   const ExportOptions& options = {});

}  // namespace kshot
