#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/mapped_file.h"
#include "framework/base/plugin.h"
#include "framework/model/params.h"

namespace kshot {

/// One class of a data set: its samples are the rows [first, first + count).
struct ClassInfo {
  std::string name;   ///< "Greek/character03"
  std::string group;  ///< alphabet or superclass; may be empty
  int64_t first = 0, count = 0;
};

/// A way to divide a data set: by classes (few-shot) or by images within classes (classic
/// transfer).
struct SplitScheme {
  enum class Kind { classes, images };
  Kind kind = Kind::classes;
  /// "train", "validation", "test" -> class numbers, or rows.
  std::map<std::string, std::vector<int64_t>> members;
};

/// Everything about a data set but its samples. Part of a run's record, so that plans can be drawn
/// again without the pixels.
struct Manifest {
  std::string name;            ///< "omniglot"
  std::string sha256;          ///< of the content (content_sha256), whatever file holds it
  std::vector<int64_t> shape;  ///< of one sample, [C,H,W] or any other
  torch::Dtype dtype = torch::kByte;
  std::vector<ClassInfo> classes;
  std::map<std::string, SplitScheme> splits;
  std::string default_split;  ///< the scheme used when a spec names none; may be empty
  std::string source, licence;
  std::string resize;  ///< how images came to this size: "nearest 105x105 -> 28x28"

  int64_t samples() const {
    return classes.empty() ? 0 : classes.back().first + classes.back().count;
  }
};

Json manifest_to_json(const Manifest& manifest);
/// Throws Error(bad_data) naming `where` if the JSON is not a consistent manifest: overlapping or
/// missing rows, a split member that does not exist, a class twice.
Manifest manifest_from_json(const Json& json, const std::string& where);

/// The hash that names a data set in records and seeds its tasks: over shape, dtype, classes,
/// splits and the bytes of the samples. The same images give the same tasks on every machine,
/// whichever version of HDF5 wrote the file.
std::string content_sha256(const Manifest& manifest, std::span<const Tensor> samples);

/// Samples of classes, immutable and safe to read from several threads.
class Dataset {
 public:
  explicit Dataset(Manifest manifest) : manifest_(std::move(manifest)) {}
  virtual ~Dataset() = default;
  const Manifest& manifest() const { return manifest_; }
  /// [n, ...shape] of the manifest's dtype, a copy.
  virtual Tensor load(std::span<const int64_t> rows) const = 0;

  /// Says that samples are read from this file on every load.
  void reads_from(MappedFile file) { file_ = std::move(file); }
  /// Throws Error(bad_data) where the file that samples are read from was changed meanwhile.
  void check_unchanged() const {
    if (file_) file_->check_unchanged();
  }

 protected:
  Manifest manifest_;

 private:
  std::optional<MappedFile> file_;
};

/// A data set whose samples are one tensor [M, ...shape]; the tensor may be mapped from a file.
class TensorDataset final : public Dataset {
 public:
  TensorDataset(Manifest manifest, Tensor samples);
  Tensor load(std::span<const int64_t> rows) const override;

 private:
  Tensor samples_;
};

struct DatasetFacts {
  static constexpr const char* kKind = "data set";
  static constexpr const char* kBlock = "dataset";
  std::string name, summary, source;
};

using DatasetPtr = std::shared_ptr<const Dataset>;
using DatasetPlugin = Plugin<DatasetPtr, DatasetFacts>;
using DatasetRegistration = Registration<DatasetPlugin>;

}  // namespace kshot
