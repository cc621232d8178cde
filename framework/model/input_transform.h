#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/base/fields.h"
#include "framework/model/params.h"

namespace kshot {

/// What images [0,1] go through before the first layer of given weights: the way in which they were
/// trained. Nothing by default.
struct InputTransform {
  std::optional<int64_t> resize = {};  ///< pixels of the shorter side, before cropping
  std::optional<int64_t> crop = {};    ///< pixels of both sides, from the centre
  std::string interpolation = "bilinear";
  bool antialias = true;
  std::vector<double> mean = {}, std = {};  ///< of each channel; empty: images stay as they are

  void describe(Fields& fields);

  /// images [T,N,C,H,W] -> [T,N,C,h,w]. One channel is repeated where `mean` has three.
  Tensor apply(const Tensor& images) const;
  /// The shape of one sample [C,H,W] behind it. Throws Error(bad_spec) where the channels do not
  /// fit `mean`, or the image is smaller than the crop and is not resized.
  std::vector<int64_t> output_shape(std::span<const int64_t> input) const;
};

}  // namespace kshot
