#include "datasets/dataset.h"

#include <cstring>

#include "framework/base/error.h"

namespace kshot {

TensorDataset::TensorDataset(Manifest manifest, Tensor samples)
    : Dataset(std::move(manifest)), samples_(std::move(samples)) {
  std::vector<int64_t> shape = {manifest_.samples()};
  shape.insert(shape.end(), manifest_.shape.begin(), manifest_.shape.end());
  TORCH_CHECK(samples_.sizes() == c10::IntArrayRef(shape), "samples ", samples_.sizes(),
              " do not fit the manifest's ", c10::IntArrayRef(shape));
  TORCH_CHECK(samples_.scalar_type() == manifest_.dtype, "samples are not of the manifest's dtype");
  TORCH_CHECK(samples_.is_contiguous(), "samples must be contiguous");
}

Tensor TensorDataset::load(std::span<const int64_t> rows) const {
  std::vector<int64_t> shape = {static_cast<int64_t>(rows.size())};
  shape.insert(shape.end(), manifest_.shape.begin(), manifest_.shape.end());
  Tensor result = torch::empty(shape, samples_.options());
  const size_t bytes = rows.empty() ? 0 : result.nbytes() / rows.size();
  const auto* from = static_cast<const char*>(samples_.const_data_ptr());
  auto* to = static_cast<char*>(result.data_ptr());
  for (const int64_t row : rows) {
    TORCH_CHECK(row >= 0 && row < samples_.size(0), "row ", row, " of ", samples_.size(0));
    std::memcpy(to, from + static_cast<size_t>(row) * bytes, bytes);
    to += bytes;
  }
  return result;
}

}  // namespace kshot
