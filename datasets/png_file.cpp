// libpng reports errors by longjmp, which skips destructors. So every call into it stands in a
// function that owns nothing (Step below), and what it works on lives in objects outside of it.

#include "datasets/png_file.h"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "datasets/image_codec.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

/// Both directions keep the error's text and the bytes here.
struct Channel {
  std::string_view input;
  std::string output;
  char message[128] = "";
};

extern "C" {
static void png_failed(png_structp png, png_const_charp message) {
  auto* channel = static_cast<Channel*>(png_get_error_ptr(png));
  std::strncpy(channel->message, message, sizeof(channel->message) - 1);
  png_longjmp(png, 1);
}

static void png_warned(png_structp, png_const_charp) {}

static void png_take(png_structp png, png_bytep to, size_t size) {
  auto* channel = static_cast<Channel*>(png_get_io_ptr(png));
  if (size > channel->input.size()) png_error(png, "the file ends too early");
  std::memcpy(to, channel->input.data(), size);
  channel->input.remove_prefix(size);
}

static void png_put(png_structp png, png_bytep from, size_t size) {
  static_cast<Channel*>(png_get_io_ptr(png))
      ->output.append(reinterpret_cast<const char*>(from), size);
}

static void png_flush_nothing(png_structp) {}
}

class PngReader {
 public:
  PngReader(std::string_view bytes, const std::string& name) : size_(bytes.size()), name_(name) {
    channel_.input = bytes;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &channel_, png_failed, png_warned);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw Error(Exit::internal, "libpng cannot be used");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Gray, gray + alpha, RGB or RGBA: uint8 [H,W,samples of a pixel].
  Tensor read() {
    if (!read_header()) fail();
    check_size();
    if (!choose_output()) fail();
    const auto height = static_cast<int64_t>(png_get_image_height(png_, info_));
    const auto width = static_cast<int64_t>(png_get_image_width(png_, info_));
    const int64_t samples = png_get_channels(png_, info_);
    Tensor image = torch::empty({height, width, samples}, torch::kByte);
    std::vector<png_bytep> rows(static_cast<size_t>(height));
    for (int64_t y = 0; y < height; ++y) {
      rows[static_cast<size_t>(y)] = image.data_ptr<uint8_t>() + y * width * samples;
    }
    if (!read_rows(rows.data())) fail();
    return image;
  }

 private:
  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;  // NOLINT(modernize-avoid-setjmp-longjmp)
    // Nothing but pixels and transparency is looked at: no gamma, no profiles, no text. What
    // remains has no harmless errors: data too long or too short for the size means that one of
    // them lies.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_benign_errors(png_, 0);
    png_set_read_fn(png_, &channel_, png_take);
    png_read_info(png_, info_);
    return true;
  }

  /// Deflate packs at most 1032 bytes into one.
  void check_size() const {
    const uint64_t width = png_get_image_width(png_, info_);
    const uint64_t height = png_get_image_height(png_, info_);
    const uint64_t pixels = width * height;
    if (pixels > static_cast<uint64_t>(kMaxPixels)) {
      throw Error(Exit::bad_data, "{}: PNG of {} x {} pixels; at most {} million are read", name_,
                  width, height, kMaxPixels / 1000000);
    }
    const uint64_t bits = uint64_t{png_get_bit_depth(png_, info_)} * png_get_channels(png_, info_);
    if (pixels * bits / 8 / 1032 > size_) {
      throw Error(Exit::bad_data, "{}: PNG header says {} x {} pixels, more than {} bytes can hold",
                  name_, width, height, size_);
    }
  }

  bool choose_output() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;  // NOLINT(modernize-avoid-setjmp-longjmp)
    png_set_expand(png_);  // palette to RGB, 1, 2, 4 bits to 8, tRNS to alpha
    png_set_strip_16(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool read_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;  // NOLINT(modernize-avoid-setjmp-longjmp)
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void fail() const {
    throw Error(Exit::bad_data, "{}: not a sound PNG file: {}", name_, channel_.message);
  }

  Channel channel_;
  size_t size_;
  const std::string& name_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &channel_, png_failed, png_warned);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw Error(Exit::internal, "libpng cannot be used");
    }
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  /// pixels: uint8 [H,W,C], contiguous.
  std::string write(const Tensor& pixels, bool one_bit) {
    std::vector<png_bytep> rows(static_cast<size_t>(pixels.size(0)));
    for (size_t y = 0; y < rows.size(); ++y) {
      rows[y] = pixels.data_ptr<uint8_t>() + static_cast<int64_t>(y) * pixels.stride(0);
    }
    if (!write_rows(rows.data(), static_cast<png_uint_32>(pixels.size(1)),
                    static_cast<png_uint_32>(pixels.size(0)), pixels.size(2) == 3, one_bit)) {
      throw Error(Exit::internal, "PNG cannot be written: {}", channel_.message);
    }
    return std::move(channel_.output);
  }

 private:
  bool write_rows(png_bytepp rows, png_uint_32 width, png_uint_32 height, bool colour,
                  bool one_bit) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;  // NOLINT(modernize-avoid-setjmp-longjmp)
    png_set_write_fn(png_, &channel_, png_put, png_flush_nothing);
    png_set_IHDR(png_, info_, width, height, one_bit ? 1 : 8,
                 colour ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    if (one_bit) png_set_packing(png_);  // takes 0 and 1, a byte a pixel
    png_write_image(png_, rows);
    png_write_end(png_, info_);
    return true;
  }

  Channel channel_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

/// Alpha over white, in integers: round((a * c + (255 - a) * 255) / 255).
static Tensor over_white(const Tensor& pixels) {
  const int64_t colours = pixels.size(2) - 1;
  const Tensor alpha = pixels.narrow(2, colours, 1).to(torch::kInt);
  const Tensor colour = pixels.narrow(2, 0, colours).to(torch::kInt);
  const Tensor sum = alpha * colour + (255 - alpha) * 255;
  return torch::div(sum + 127, 255, "floor").to(torch::kByte);
}

Tensor decode_png(std::string_view bytes, const std::string& name) {
  Tensor pixels = PngReader(bytes, name).read();
  if (pixels.size(2) % 2 == 0) pixels = over_white(pixels);
  return pixels.permute({2, 0, 1}).contiguous();
}

std::string encode_png(const Tensor& image) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == torch::kByte &&
                  (image.size(0) == 1 || image.size(0) == 3) && image.numel() > 0,
              "a PNG is made of uint8 [1|3,H,W], not ", image.sizes());
  const bool one_bit = image.size(0) == 1 && ((image == 0) | (image == 255)).all().item<bool>();
  const Tensor values = one_bit ? image.div(255, "floor").to(torch::kByte) : image;
  return PngWriter().write(values.permute({1, 2, 0}).contiguous(), one_bit);
}

}  // namespace kshot
