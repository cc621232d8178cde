#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace kshot {

/// How a user wants a data set divided, before the names are looked up.
struct SplitRule {
  SplitScheme::Kind kind = SplitScheme::Kind::classes;
  std::string name;  ///< of the scheme
  std::map<std::string, std::vector<std::string>>
      members;                              ///< names of classes, or of image files; or
  std::map<std::string, double> fractions;  ///< shares that add up to 1, drawn by `seed`
  uint64_t seed = 0;
};

/// Reads --splits FILE. Splits are called train, validation (or val, valid) and test.
///   CSV   a header with the columns `split` and `class`, or `split` and `filename` (then images
///   are
///         divided within the classes); other columns are passed over
///   JSON  {"train": [names], "validation": [...], "test": [...]}, or
///         {"kind": "classes" | "images", "name": ..., "splits": {...}}, or
///         {"kind": ..., "fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}, "seed": 0}
/// The scheme is called after "name", else after the file. Throws Error(bad_data), Error(io).
SplitRule read_split_file(const std::filesystem::path& path);

/// 64, 16 and 20 % of the classes, or of each class's images, drawn by seed 0.
SplitRule default_rule(SplitScheme::Kind kind);

/// Looks the names up. `files` are the image paths of each row, for rules about images: a name is
/// the path, or its end where only one image ends so; data without files have none. Fractions:
/// classes (or the images of each class) are permuted by the seed; validation gets round(f n) of
/// them, test round(f n), at least one each where there are three, and train the rest. Throws
/// Error(bad_data) for an unknown name, with the nearest one, and for one in two splits; `where` is
/// what messages begin with.
SplitScheme apply_rule(const SplitRule& rule, const Manifest& manifest,
                       const std::vector<std::string>& files, const std::string& where);

/// Divides by --splits FILE, which becomes the default scheme. Returns a note where something is in
/// no split. Throws as the two above.
std::optional<std::string> add_split_file(const std::filesystem::path& path,
                                          const std::vector<std::string>& files,
                                          Manifest& manifest);

/// For data that nobody divided: the scheme "images", and from ten classes on "random", which is
/// then the default.
void add_default_splits(Manifest& manifest);

}  // namespace kshot
