#include "datasets/original_images.h"

#include "datasets/image_codec.h"
#include "framework/base/error.h"

namespace kshot {

void check_originals(const OriginalImages& originals, int64_t images, const std::string& where) {
  const Tensor& offsets = originals.offsets;
  if (offsets.dim() != 1 || offsets.scalar_type() != torch::kLong ||
      offsets.size(0) != images + 1 || originals.bytes.dim() != 1 ||
      originals.bytes.scalar_type() != torch::kByte) {
    throw Error(Exit::bad_data, "{}: the originals of {} images are not laid out as expected",
                where, images);
  }
  const auto at = offsets.accessor<int64_t, 1>();
  bool good = at[0] == 0 && at[images] == originals.bytes.size(0);
  for (int64_t i = 0; good && i < images; ++i) good = at[i] <= at[i + 1];
  if (!good)
    throw Error(Exit::bad_data, "{}: the offsets of the originals do not increase to their end",
                where);
}

OriginalsDataset::OriginalsDataset(Manifest manifest, OriginalImages originals)
    : Dataset(std::move(manifest)), originals_(std::move(originals)) {
  TORCH_CHECK(manifest_.shape.size() == 3 && manifest_.dtype == torch::kByte,
              "originals are uint8 images");
}

std::string_view OriginalsDataset::original(int64_t row) const {
  TORCH_CHECK(row >= 0 && row < manifest_.samples(), "row ", row, " of ", manifest_.samples());
  const auto* offsets = originals_.offsets.const_data_ptr<int64_t>();
  const auto* bytes = static_cast<const char*>(originals_.bytes.const_data_ptr());
  return {bytes + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row])};
}

Tensor OriginalsDataset::load(std::span<const int64_t> rows) const {
  const std::vector<int64_t>& shape = manifest_.shape;
  Tensor result =
      torch::empty({static_cast<int64_t>(rows.size()), shape[0], shape[1], shape[2]}, torch::kByte);
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string name = fmt::format("image {} of data set \"{}\"", rows[i], manifest_.name);
    const Tensor image = to_channels(decode_image(original(rows[i]), name), shape[0]);
    result[static_cast<int64_t>(i)].copy_(resize(image, shape[1], shape[2], originals_.resampling));
  }
  return result;
}

}  // namespace kshot
