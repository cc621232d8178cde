#pragma once

#include <string>

#include "framework/model/params.h"

namespace kshot {

enum class Resampling { nearest, bilinear, bicubic, lanczos };

std::string resampling_name(Resampling resampling);
/// Throws Error(bad_spec) for an unknown name, with the nearest one.
Resampling parse_resampling(const std::string& name);

/// uint8 [C,H,W] -> [C,height,width], the very bytes that Pillow's Image.resize gives for 8-bit
/// images (and `nearest` for one-bit images, where Pillow knows no other). In integers throughout,
/// so a pack is the same on every machine. nearest: output pixel x is input pixel floor((x + 0.5) *
/// W / width). The others are antialiased: where the image shrinks, the filter (triangle; Keys'
/// cubic, a = -0.5; Lanczos, a = 3) grows with the scale.
Tensor resize(const Tensor& image, int64_t height, int64_t width, Resampling resampling);

/// For a manifest: "bilinear 105x105 -> 28x28" (height x width). `from` is a size or "various
/// sizes".
std::string describe_resize(Resampling resampling, const std::string& from, int64_t height,
                            int64_t width);

}  // namespace kshot
