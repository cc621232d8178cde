#include "datasets/resize.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {
namespace {

const std::array<std::pair<const char*, Resampling>, 4> kNames = {
    {{"nearest", Resampling::nearest},
     {"bilinear", Resampling::bilinear},
     {"bicubic", Resampling::bicubic},
     {"lanczos", Resampling::lanczos}}};

/// Pillow's Resample.c: weights have 22 fractional bits, so that 8-bit values times weights fit 32.
constexpr int kFractionBits = 22;

/// The source pixel of each output pixel. Pillow adds up the step instead of multiplying, which
/// decides ties of scales that are not a binary fraction; so does this.
std::vector<int64_t> nearest_sources(int64_t from, int64_t to) {
  std::vector<int64_t> sources;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  double position = scale * 0.5;
  for (int64_t i = 0; i < to; ++i, position += scale) {
    sources.push_back(std::min(static_cast<int64_t>(position), from - 1));
  }
  return sources;
}

Tensor resize_nearest(const Tensor& image, int64_t height, int64_t width) {
  const std::vector<int64_t> rows = nearest_sources(image.size(1), height);
  const std::vector<int64_t> columns = nearest_sources(image.size(2), width);
  Tensor result = torch::empty({image.size(0), height, width}, torch::kByte);
  const auto from = image.accessor<uint8_t, 3>();
  auto to = result.accessor<uint8_t, 3>();
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        to[c][y][x] = from[c][rows[static_cast<size_t>(y)]][columns[static_cast<size_t>(x)]];
      }
    }
  }
  return result;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double support_of(Resampling resampling) {
  return resampling == Resampling::bilinear ? 1 : resampling == Resampling::bicubic ? 2 : 3;
}

double filter(Resampling resampling, double x) {
  if (resampling == Resampling::lanczos) return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  x = std::abs(x);
  if (resampling == Resampling::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double kA = -0.5;
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

/// Output pixel i is the sum over k of weights[k] * input[first + k].
struct Tap {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

std::vector<Tap> make_taps(int64_t from, int64_t to, Resampling resampling) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(resampling) * stretch;
  const double inverse = 1.0 / stretch;
  std::vector<Tap> taps;
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    // truncation, not floor: as Pillow's (int)(centre - support + 0.5)
    // NOLINTBEGIN(bugprone-incorrect-roundings)
    const auto first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    const auto end = std::min<int64_t>(static_cast<int64_t>(centre + support + 0.5), from);
    // NOLINTEND(bugprone-incorrect-roundings)
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(filter(resampling, (static_cast<double>(x) - centre + 0.5) * inverse));
      sum += weights.back();
    }
    Tap tap{.first = first, .weights = {}};
    for (double weight : weights) {
      if (sum != 0) weight /= sum;
      const double scaled = weight * (1 << kFractionBits);
      tap.weights.push_back(static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    taps.push_back(std::move(tap));
  }
  return taps;
}

uint8_t weigh(const Tap& tap, const uint8_t* input, int64_t stride) {
  int32_t sum = 1 << (kFractionBits - 1);
  const uint8_t* from = input + tap.first * stride;
  for (size_t k = 0; k < tap.weights.size(); ++k) {
    sum += from[static_cast<int64_t>(k) * stride] * tap.weights[k];
  }
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

/// Along the last axis: [C,H,W] -> [C,H,width].
Tensor resize_rows(const Tensor& image, int64_t width, Resampling resampling) {
  const std::vector<Tap> taps = make_taps(image.size(2), width, resampling);
  Tensor result = torch::empty({image.size(0), image.size(1), width}, torch::kByte);
  const uint8_t* from = image.const_data_ptr<uint8_t>();
  uint8_t* to = result.data_ptr<uint8_t>();
  for (int64_t row = 0; row < image.size(0) * image.size(1); ++row, from += image.size(2)) {
    for (const Tap& tap : taps) *to++ = weigh(tap, from, 1);
  }
  return result;
}

/// Along the middle axis: [C,H,W] -> [C,height,W].
Tensor resize_columns(const Tensor& image, int64_t height, Resampling resampling) {
  const std::vector<Tap> taps = make_taps(image.size(1), height, resampling);
  const int64_t width = image.size(2);
  Tensor result = torch::empty({image.size(0), height, width}, torch::kByte);
  const uint8_t* from = image.const_data_ptr<uint8_t>();
  uint8_t* to = result.data_ptr<uint8_t>();
  for (int64_t c = 0; c < image.size(0); ++c, from += image.size(1) * width) {
    for (const Tap& tap : taps) {
      for (int64_t x = 0; x < width; ++x) *to++ = weigh(tap, from + x, width);
    }
  }
  return result;
}

}  // namespace

std::string resampling_name(Resampling resampling) {
  for (const auto& [name, value] : kNames) {
    if (value == resampling) return name;
  }
  throw Error(Exit::internal, "a resampling without a name");
}

Resampling parse_resampling(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [text, value] : kNames) {
    if (name == text) return value;
    known.emplace_back(text);
  }
  throw Error(Exit::bad_spec, "unknown resampling \"{}\"{}; known: {}", name,
              did_you_mean(name, known), fmt::join(known, ", "));
}

Tensor resize(const Tensor& image, int64_t height, int64_t width, Resampling resampling) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == torch::kByte && image.numel() > 0,
              "resize takes uint8 [C,H,W], not ", image.sizes());
  TORCH_CHECK(height > 0 && width > 0 && height <= (1 << 16) && width <= (1 << 16), "resize to ",
              height, " x ", width);
  if (image.size(1) == height && image.size(2) == width) return image;
  const Tensor source = image.contiguous();
  if (resampling == Resampling::nearest) return resize_nearest(source, height, width);
  const Tensor wide = source.size(2) == width ? source : resize_rows(source, width, resampling);
  return wide.size(1) == height ? wide : resize_columns(wide, height, resampling);
}

std::string describe_resize(Resampling resampling, const std::string& from, int64_t height,
                            int64_t width) {
  return fmt::format("{} {} -> {}x{}", resampling_name(resampling), from, height, width);
}

}  // namespace kshot
