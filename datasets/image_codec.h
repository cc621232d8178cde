#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "framework/model/params.h"

namespace kshot {

/// An image of more pixels is refused before memory is taken for it.
constexpr int64_t kMaxPixels = int64_t{1} << 26;

/// A PNG or JPEG file as uint8 [C,H,W], C = 1 (gray) or 3 (RGB), as Pillow decodes it: palettes are
/// looked up, 1, 2 and 4 bits are widened to 0..255, of 16 bits the upper 8 are kept, gamma and
/// orientation tags are not applied. Unlike in Pillow, transparency is laid over white paper.
/// `name` is what messages call the file. Throws Error(bad_data): neither PNG nor JPEG, truncated,
/// damaged, more pixels than kMaxPixels or than its bytes can hold, or a CMYK JPEG.
Tensor decode_image(std::string_view bytes, const std::string& name);

/// uint8 [C,H,W] with C = 1 or 3 as a PNG file; gray images of 0 and 255 alone take one bit a
/// pixel. The same image gives the same bytes.
std::string encode_png(const Tensor& image);

/// Gray to RGB by repetition, RGB to gray with Pillow's integer weights (ITU-R 601). uint8 [C,H,W].
Tensor to_channels(const Tensor& image, int64_t channels);

}  // namespace kshot
