#include "datasets/image_codec.h"

#include "datasets/jpeg_file.h"
#include "datasets/png_file.h"
#include "framework/base/error.h"

namespace kshot {

Tensor decode_image(std::string_view bytes, const std::string& name) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return decode_png(bytes, name);
  if (bytes.starts_with("\xff\xd8"sv)) return decode_jpeg(bytes, name);
  throw Error(Exit::bad_data, "{}: {}, expected a PNG or JPEG image", name,
              bytes.empty() ? "an empty file" : "neither PNG nor JPEG");
}

Tensor to_channels(const Tensor& image, int64_t channels) {
  TORCH_CHECK(channels == 1 || channels == 3, "images have 1 or 3 channels, not ", channels);
  if (image.size(0) == channels) return image;
  if (channels == 3) return image.expand({3, image.size(1), image.size(2)}).contiguous();
  const Tensor wide = image.to(torch::kInt);
  const Tensor sum = wide[0] * 19595 + wide[1] * 38470 + wide[2] * 7471 + 0x8000;
  return sum.bitwise_right_shift(16).to(torch::kByte).unsqueeze(0);
}

}  // namespace kshot
