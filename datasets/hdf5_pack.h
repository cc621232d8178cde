#pragma once

#include <filesystem>
#include <string>

#include "datasets/dataset.h"
#include "datasets/original_images.h"

namespace kshot {

// A data pack: one HDF5 file behind a header of 512 bytes (pack_header.h).
//   /manifest            the manifest as JSON, uint8 [length]
//   /labels              int64 [M], class number of each row
//   /samples             [M, ...shape] uint8, float32 or float64, contiguous; or, with kept
//   originals, /originals/bytes     uint8 [B], PNG and JPEG files one after another
//   /originals/offsets   int64 [M + 1]
//   /originals/resampling  how they come to the manifest's shape, uint8 [length]
// Any HDF5 reader can read it (h5py finds the data behind the header). The same content gives the
// same bytes. The header's hash guards the file; the manifest's is of the content (content_sha256).

/// Writes a pack that appears whole or not at all. `manifest.sha256` is ignored. Returns the
/// manifest as open_pack() gives it. Throws Error(io); samples that do not fit the manifest are a
/// defect of ours.
Manifest write_pack(const std::filesystem::path& path, Manifest manifest, const Tensor& samples);
Manifest write_pack(const std::filesystem::path& path, Manifest manifest,
                    const OriginalImages& originals);

/// Samples stay in the file, mapped to memory. The hash is compared unless this very file was
/// verified before (verified_packs.h). Throws Error(io) where it cannot be read, Error(bad_data)
/// for anything that is not a whole, consistent pack.
DatasetPtr open_pack(const std::filesystem::path& path);

struct PackInfo {
  Manifest manifest;
  uint64_t bytes = 0;      ///< of the file
  uint32_t version = 0;    ///< of the format
  bool originals = false;  ///< images are kept as they came
};

/// What `kshot data info` shows. Checks as open_pack() does.
PackInfo read_pack_info(const std::filesystem::path& path);

/// Hashes the file whether or not that was done before, compares the content with the manifest's
/// hash, and decodes every original.
PackInfo verify_pack(const std::filesystem::path& path);

}  // namespace kshot
