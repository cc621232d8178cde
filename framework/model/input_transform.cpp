#include "framework/model/input_transform.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "framework/base/error.h"

namespace kshot {
namespace {

/// As torchvision computes it: the longer side is cut down to a whole number.
std::pair<int64_t, int64_t> resized(int64_t height, int64_t width, int64_t shorter) {
  if (height <= width) return {shorter, shorter * width / height};
  return {shorter * height / width, shorter};
}

Tensor resize_images(const Tensor& images, int64_t height, int64_t width,
                     const std::string& interpolation, bool antialias) {
  const std::vector<int64_t> size{height, width};
  if (interpolation == "nearest") return at::upsample_nearest2d(images, size);
  if (interpolation == "bicubic") {
    return antialias ? at::_upsample_bicubic2d_aa(images, size, /*align_corners=*/false)
                     : at::upsample_bicubic2d(images, size, /*align_corners=*/false);
  }
  return antialias ? at::_upsample_bilinear2d_aa(images, size, /*align_corners=*/false)
                   : at::upsample_bilinear2d(images, size, /*align_corners=*/false);
}

/// As torchvision computes it: half a pixel too many is rounded to the even neighbour.
int64_t crop_start(int64_t size, int64_t crop) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(size - crop) / 2));
}

Tensor per_channel(const std::vector<double>& values, const Tensor& images) {
  return torch::tensor(values, torch::kDouble)
      .to(images.options())
      .view({static_cast<int64_t>(values.size()), 1, 1});
}

}  // namespace

void InputTransform::describe(Fields& fields) {
  fields.option("resize", resize, {.help = "pixels of the shorter side", .min = 1, .max = 4096});
  fields.option("crop", crop,
                {.help = "pixels of both sides, cut from the centre", .min = 1, .max = 4096});
  fields.option("interpolation", interpolation,
                {.help = "how images are resized", .one_of = {"nearest", "bilinear", "bicubic"}});
  fields.option("antialias", antialias, {.help = "smooth before making images smaller"});
  fields.option("mean", mean, {.help = "of each channel, subtracted"});
  fields.option("std", std, {.help = "of each channel, divided by", .min = 1e-12});
}

std::vector<int64_t> InputTransform::output_shape(std::span<const int64_t> input) const {
  std::vector<int64_t> shape(input.begin(), input.end());
  if (!resize && !crop && mean.empty()) return shape;
  if (shape.size() != 3) {
    throw Error(Exit::bad_spec,
                "backbone.weights were trained on images [C,H,W]; the samples have shape [{}]",
                fmt::join(shape, ","));
  }
  const auto channels = static_cast<int64_t>(mean.size());
  if (channels > 0 && shape[0] == 1) shape[0] = channels;
  if (channels > 0 && shape[0] != channels) {
    throw Error(Exit::bad_spec,
                "backbone.weights were trained on images of {} channels; these have {}", channels,
                shape[0]);
  }
  if (resize) std::tie(shape[1], shape[2]) = resized(shape[1], shape[2], *resize);
  if (!crop) return shape;
  if (std::min(shape[1], shape[2]) < *crop) {
    throw Error(Exit::bad_spec,
                "backbone.weights take a crop of {0}x{0} pixels; images have {1}x{2}", *crop,
                shape[1], shape[2]);
  }
  shape[1] = shape[2] = *crop;
  return shape;
}

Tensor InputTransform::apply(const Tensor& images) const {
  if (!resize && !crop && mean.empty()) return images;
  Tensor x = images.flatten(0, 1);
  if (!mean.empty() && x.size(1) == 1 && mean.size() > 1)
    x = x.expand({-1, static_cast<int64_t>(mean.size()), -1, -1});
  if (resize) {
    const auto [height, width] = resized(x.size(2), x.size(3), *resize);
    if (height != x.size(2) || width != x.size(3))
      x = resize_images(x, height, width, interpolation, antialias);
  }
  if (crop) {
    x = x.narrow(2, crop_start(x.size(2), *crop), *crop)
            .narrow(3, crop_start(x.size(3), *crop), *crop);
  }
  if (!mean.empty()) x = (x - per_channel(mean, x)) / per_channel(std, x);
  return x.unflatten(0, {images.size(0), images.size(1)});
}

}  // namespace kshot
