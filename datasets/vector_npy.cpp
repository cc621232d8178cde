// read_npy_vectors (vector_table.h).

#include "datasets/npy_file.h"
#include "datasets/outside_text.h"
#include "datasets/text_lines.h"
#include "datasets/vector_table.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int64_t kMaxAxes = 9;  // the rows, and as many as a manifest's shape may have

void check_shape(const Tensor& values, const std::string& where) {
  if (values.dim() >= 2 && values.dim() <= kMaxAxes && values.numel() > 0) return;
  throw Error(Exit::bad_data,
              "{}: an array of shape [{}], expected [samples, ...] of 2 to {} axes, none of them 0",
              where, fmt::join(values.sizes(), ","), kMaxAxes);
}

void check_finite(const Tensor& values, const Tensor& original, const std::string& where) {
  const Tensor faults = torch::isfinite(values).logical_not();
  if (!faults.any().item<bool>()) return;
  const Tensor place = faults.nonzero()[0].contiguous();
  const std::vector<int64_t> index(place.const_data_ptr<int64_t>(),
                                   place.const_data_ptr<int64_t>() + place.numel());
  Tensor value = original;
  for (const int64_t i : index) value = value[i];
  throw Error(Exit::bad_data, "{}: {} at [{}], expected finite numbers of 32 bits", where,
              value.item<double>(), fmt::join(index, ","));
}

/// float32 or uint8, as packs of vectors are.
Tensor read_samples(const std::filesystem::path& path, std::vector<std::string>& notes) {
  Tensor values = read_npy(path);
  check_shape(values, path.string());
  if (values.scalar_type() == torch::kByte) return values;
  if (!values.is_floating_point()) {
    throw Error(Exit::bad_data,
                "{}: whole numbers of {} bits, expected float32, float64 or uint8: "
                ".astype(numpy.float32) gives them",
                path.string(), 8 * values.element_size());
  }
  Tensor samples = values.to(torch::kFloat);
  check_finite(samples, values, path.string());
  if (values.scalar_type() == torch::kDouble)
    notes.emplace_back("numbers of 64 bits were rounded to 32");
  return samples;
}

std::vector<std::string> read_npy_labels(const std::filesystem::path& path) {
  const Tensor values = read_npy(path);
  if (values.dim() != 1 || values.is_floating_point()) {
    throw Error(Exit::bad_data,
                "{}: {} of shape [{}], expected labels: whole numbers of shape [samples]",
                path.string(), values.is_floating_point() ? "floating-point numbers" : "an array",
                fmt::join(values.sizes(), ","));
  }
  const Tensor whole = values.to(torch::kLong);
  std::vector<std::string> labels;
  for (int64_t i = 0; i < whole.numel(); ++i)
    labels.push_back(std::to_string(whole.const_data_ptr<int64_t>()[i]));
  return labels;
}

std::vector<std::string> read_text_labels(const std::filesystem::path& path) {
  TextLines lines(read_file(path));
  std::vector<std::string> labels;
  while (const auto line = lines.next()) labels.push_back(trimmed(*line));
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].empty() || !is_utf8(labels[i])) {
      throw Error(Exit::bad_data, "{}, line {}: {}, expected a label in UTF-8", path.string(),
                  i + 1, in_quotes(labels[i]));
    }
  }
  return labels;
}

}  // namespace

VectorTable read_npy_vectors(const std::filesystem::path& path,
                             const std::filesystem::path& labels) {
  VectorTable table;
  table.samples = read_samples(path, table.notes);
  table.labels = labels.extension() == ".npy" ? read_npy_labels(labels) : read_text_labels(labels);
  if (static_cast<int64_t>(table.labels.size()) != table.samples.size(0)) {
    throw Error(Exit::bad_data, "{}: {} labels, expected {}, one for each row of {}",
                labels.string(), table.labels.size(), table.samples.size(0), path.string());
  }
  return table;
}

}  // namespace kshot
