#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image_set.h"
#include "framework/base/registry.h"

namespace kshot {

/// What `kshot data import` was asked for.
struct ImportRequest {
  std::vector<std::filesystem::path> sources;
  int64_t image_size = 0;             ///< 0 = as stored
  std::optional<Resampling> resize;   ///< bilinear unless given
  std::filesystem::path splits_file;  ///< empty = the importer's own rule
  bool keep_original = false;
  int64_t channels = 0;           ///< 1 gray, 3 RGB, 0 = gray if every image is
  std::string label_column;       ///< of a table: a name or a number from 1; empty = the last
  bool allow_incomplete = false;  ///< take what is there of a data set whose content is known
  int threads = 2;                ///< the result does not depend on it
  ImportProgress progress = {};

  ImageSetOptions image_options() const;
};

/// What an importer makes: a manifest and either samples or originals.
struct ImportedData {
  Manifest manifest;
  Tensor samples;
  std::optional<OriginalImages> originals;
  std::vector<std::string>
      notes;  ///< what the user should know: "3 files that are no images were left out"

  /// Takes over shape, resize and samples.
  void take(ImageSet images);
};

struct ImporterFacts {
  std::string name, summary;
  std::string sources;  ///< what SOURCE... are
  /// Those of `kshot data import` that it reads, beyond --out and --threads. Others are refused.
  std::vector<std::string> options = {"image-size", "resize", "channels", "keep-original",
                                      "splits"};
};

/// A format that can be made into a pack. One file each, ending in one registration.
struct Importer {
  static constexpr const char* kKind = "importer";
  ImporterFacts facts;
  std::function<ImportedData(const ImportRequest&)> import;
};

using ImporterRegistration = Registration<Importer>;

struct ImportResult {
  Manifest manifest;  ///< as open_pack() gives it
  std::vector<std::string> notes;
};

/// Runs the importer of that name and writes the pack, which appears whole or not at all. A folder
/// that cannot be written to is found out first. Throws Error(bad_spec) for an unknown importer or
/// unfitting options, Error(bad_data) for sources that are not what they should be, Error(io).
ImportResult import_dataset(const std::string& importer, const ImportRequest& request,
                            const std::filesystem::path& pack);

}  // namespace kshot
