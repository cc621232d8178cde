#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/base/fields.h"
#include "framework/model/params.h"

/// What backbones that end with a map have in common: what they make of it, and what they refuse.
namespace kshot {

/// The option `features` of such a backbone.
Option map_features_option();

/// The last map [T,N,C,h,w]: its spatial mean [T,N,C], flattened [T,N,C*h*w], or as it is.
Tensor map_features(const Tensor& map, const std::string& how);

/// The shape of that for one sample.
std::vector<int64_t> map_features_shape(int64_t channels, int64_t height, int64_t width,
                                        const std::string& how);

/// Throws Error(bad_spec) unless samples are images [C,H,W] of at least `smallest` pixels in height
/// and width. `backbone` is its name.
void require_images(const std::string& backbone, std::span<const int64_t> input, int64_t smallest);

/// base * width, rounded; at least 1. For the option of a width that multiplies all channels.
int64_t scaled_channels(int64_t base, double width);

}  // namespace kshot
