#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/original_images.h"

namespace kshot {

/// Called now and then on the thread that waits: images done so far, of how many.
using ImportProgress = std::function<void(int64_t done, int64_t total)>;

/// A PNG or JPEG, in memory or still on disk.
struct EncodedImage {
  std::string name;            ///< for messages
  std::filesystem::path file;  ///< read when needed; empty if `bytes` holds the image
  std::string bytes;
};

struct ImageSetOptions {
  int64_t image_size = 0;  ///< width and height, whatever the proportions were; 0 = as stored
  Resampling resampling = Resampling::bilinear;
  int64_t channels = 0;  ///< 1 gray, 3 RGB, 0 = gray if every image is
  bool keep_original = false;
  int threads = 2;  ///< the result does not depend on it
  /// May refuse an image by throwing Error; called with what decode_image() gave, on any thread.
  std::function<void(const EncodedImage&, const Tensor&)> check = {};
  ImportProgress progress = {};
};

/// Images of one size, in the order given.
struct ImageSet {
  std::vector<int64_t> shape;  ///< of one image, [C,H,W]
  std::string resize;          ///< for the manifest: "bilinear 105x105 -> 28x28", or "none"
  Tensor samples;              ///< uint8 [M,C,H,W]; undefined where originals are kept
  std::optional<OriginalImages> originals;
};

/// Decodes every image, also where originals are kept. Throws Error naming the image: the first
/// one, by order, that cannot be read, or that has another size than the first one where none was
/// asked for.
ImageSet decode_images(std::vector<EncodedImage> images, const ImageSetOptions& options);

/// One picture of a user's as the images of this data set were made: same channels, size and
/// resampling (bilinear where the data set was not resized). uint8 [C,H,W]. Throws Error(io),
/// Error(bad_data).
Tensor load_image(const std::filesystem::path& path, const Manifest& manifest);

}  // namespace kshot
