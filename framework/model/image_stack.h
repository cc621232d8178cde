#pragma once

#include <cstdint>

namespace kshot {

/// Images [images, height, width, channels] in one piece of memory (channels-last), and the windows
/// of 2x2 pixels, or of one, that are reduced to their maximum. An odd last row or column belongs
/// to no window.
struct ImageStack {
  int64_t images = 0, height = 0, width = 0, channels = 0;
  bool pool = true;

  int64_t out_height() const { return pool ? height / 2 : height; }
  int64_t out_width() const { return pool ? width / 2 : width; }
  int64_t size() const { return height * width * channels; }  ///< of one image
  int64_t out_size() const { return out_height() * out_width() * channels; }
};

/// What of a window was passed on: bits 0-1 say which pixel was the maximum, bit 2 that it was not
/// positive, so that the activation's slope applies.
using Choice = uint8_t;
constexpr Choice kPixel = 3, kNotPositive = 4;

}  // namespace kshot
