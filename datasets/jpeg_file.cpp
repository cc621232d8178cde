#include "datasets/jpeg_file.h"

#include <turbojpeg.h>

#include <memory>

#include "datasets/image_codec.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decoder = std::unique_ptr<void, Destroy>;

[[noreturn]] void fail(const Decoder& decoder, const std::string& name) {
  throw Error(Exit::bad_data, "{}: not a sound JPEG file: {}", name, tjGetErrorStr2(decoder.get()));
}

/// Some cameras leave stray bytes between segments; every other warning means missing pixels.
bool harmless(const Decoder& decoder) {
  return tjGetErrorCode(decoder.get()) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(decoder.get())).find("extraneous bytes") !=
             std::string_view::npos;
}

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  const Decoder decoder(tjInitDecompress());
  if (!decoder) throw Error(Exit::internal, "libturbojpeg cannot be used");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colour = 0;
  if (tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &subsampling,
                          &colour) != 0) {
    fail(decoder, name);
  }
  if (width <= 0 || height <= 0 || int64_t{width} * height > kMaxPixels) {
    throw Error(Exit::bad_data, "{}: JPEG of {} x {} pixels; at most {} million are read", name,
                width, height, kMaxPixels / 1000000);
  }
  if (colour == TJCS_CMYK || colour == TJCS_YCCK) {
    throw Error(Exit::bad_data, "{}: CMYK JPEG; save it as RGB or gray", name);
  }
  const bool gray = colour == TJCS_GRAY;
  Tensor pixels = torch::empty({height, width, gray ? 1 : 3}, torch::kByte);
  if (tjDecompress2(decoder.get(), data, bytes.size(), pixels.data_ptr<uint8_t>(), width, 0, height,
                    gray ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0 &&
      !harmless(decoder)) {
    fail(decoder, name);
  }
  return pixels.permute({2, 0, 1}).contiguous();
}

}  // namespace kshot
