#pragma once

#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace kshot {

/// How a spec looks at a data set: which division, which derived classes, how pixels become
/// numbers. Every data set plugin's options include it.
struct DatasetView {
  std::string splits;  ///< a scheme of the manifest; "" = its default
  std::string rotations = "none";
  bool invert = false;
  std::vector<double> mean, std;

  void describe(Fields& fields);
};

/// A class of one split as tasks see it: a class of the data set, perhaps turned.
struct IndexedClass {
  std::string name;           ///< "Greek/character03", turned: "Greek/character03@90"
  int64_t source = 0;         ///< class number in the manifest; shared by its rotations
  int quarter_turns = 0;      ///< counter-clockwise
  std::vector<int64_t> rows;  ///< increasing
};

/// The classes of the given splits ("train", or {"train", "validation"} for retraining) in the
/// order of the manifest, turned classes after one another: all classes at 0 degrees, then at 90,
/// 180, 270. A scheme that divides images lists every class of the data set in each split, so that
/// a label means the same class everywhere; `rows` are then the images of these splits, and may be
/// empty. Throws Error(bad_spec) for an unknown scheme or split, naming the known ones, and for a
/// view that does not fit (check_view).
std::vector<IndexedClass> index_classes(const Manifest& manifest, const DatasetView& view,
                                        const std::vector<std::string>& splits);

/// The scheme that the view names, or the manifest's default. Throws Error(bad_spec).
const SplitScheme& find_scheme(const Manifest& manifest, const DatasetView& view);

/// Throws Error(bad_spec) where the view does not fit the samples: a mean of three channels for
/// gray images, rotations of samples that are no square images, inversion of other than 8-bit
/// images.
void check_view(const Manifest& manifest, const DatasetView& view);

/// Samples [n,C,H,W] or [n,...] of any dtype as float32 network input: uint8 scaled to [0,1], other
/// numbers as they are; then inverted (1 - x) and normalised, (x - mean) / std per channel (the
/// first axis of a sample), as the view says.
Tensor to_input(const Tensor& samples, const DatasetView& view);

}  // namespace kshot
