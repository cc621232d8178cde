#pragma once

#include <string>

#include "datasets/dataset.h"
#include "datasets/resize.h"

namespace kshot {

/// Image files as they came, one after another.
struct OriginalImages {
  Tensor bytes;    ///< uint8 [B]; may be mapped from a file
  Tensor offsets;  ///< int64 [M + 1]: image i is bytes [offsets[i], offsets[i + 1])
  Resampling resampling = Resampling::bilinear;
};

/// Throws Error(bad_data) naming `where` if the offsets do not fit `images` images and the bytes.
void check_originals(const OriginalImages& originals, int64_t images, const std::string& where);

/// A data set that keeps the originals, and decodes and resizes them to the manifest's shape on
/// load.
class OriginalsDataset final : public Dataset {
 public:
  OriginalsDataset(Manifest manifest, OriginalImages originals);
  Tensor load(std::span<const int64_t> rows) const override;
  /// The file of one image.
  std::string_view original(int64_t row) const;
  const OriginalImages& originals() const { return originals_; }

 private:
  OriginalImages originals_;
};

}  // namespace kshot
