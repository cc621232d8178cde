#include "experiments/report/task_pictures.h"

#include <openssl/evp.h>

#include "datasets/class_index.h"
#include "datasets/image_codec.h"
#include "experiments/experiment.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int64_t kLargestSide = 256;

void check_images(const Manifest& manifest) {
  const std::vector<int64_t>& shape = manifest.shape;
  const bool image =
      shape.size() == 3 && (shape[0] == 1 || shape[0] == 3) && shape[1] > 1 && shape[2] > 1;
  if (!image) {
    throw Error(Exit::bad_data, "samples of {} are no pictures: their shape is [{}]", manifest.name,
                fmt::join(shape, ","));
  }
  if (std::max(shape[1], shape[2]) > kLargestSide) {
    throw Error(Exit::bad_data, "images of {} are larger than {} pixels", manifest.name,
                kLargestSide);
  }
}

void check_rows(const TaskPlan& plan, const Manifest& manifest) {
  for (const auto* rows : {&plan.support, &plan.query}) {
    for (const int64_t row : *rows) {
      if (row >= 0 && row < manifest.samples()) continue;
      throw Error(Exit::bad_data, "task {} names sample {}, but {} has {}", plan.index, row,
                  manifest.name, manifest.samples());
    }
  }
}

/// What to_input() did, undone: network input [N,C,H,W] as pixels.
Tensor to_pixels(const Tensor& input, const DatasetView& view, bool bytes) {
  Tensor image = input;
  const auto per_channel = [](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat).view({1, -1, 1, 1});
  };
  if (!view.std.empty()) image = image * per_channel(view.std);
  if (!view.mean.empty()) image = image + per_channel(view.mean);
  if (view.invert) image = 1 - image;
  if (!bytes) {  // other numbers than 8-bit pixels: from the darkest to the lightest
    const Tensor low = image.min(), high = image.max();
    image = (image - low) / (high - low).clamp_min(1e-12);
  }
  return (image.clamp(0, 1) * 255).round().to(torch::kByte);
}

}  // namespace

std::vector<TaskPictures> draw_tasks(const RecordedRun& run, const std::vector<TaskPlan>& plans) {
  const ExperimentSpec spec = read_spec(load_spec((run.folder / "spec.json").string(), {}), "cpu");
  const Json& block = spec.episodes.test.dataset ? *spec.episodes.test.dataset : spec.dataset;
  DatasetCache datasets;
  const Manifest& manifest = datasets.open(block)->manifest();
  if (manifest.sha256 != run.tasks.data_sha256) {
    throw Error(Exit::bad_data, "the data of {} that are at hand are not those of the record",
                manifest.name);
  }
  check_images(manifest);
  const auto source = held_out_source(spec, "test", datasets);
  const Json& recorded = run.data.at("test_classes");
  const auto& classes = source->classes();
  for (size_t i = 0; i < std::max(recorded.size(), classes.size()); ++i) {
    if (i >= recorded.size() || i >= classes.size() || recorded[i].at("name") != classes[i].name)
      throw Error(Exit::bad_data, "the test classes of {} are not those of the record",
                  manifest.name);
  }
  const DatasetView view = view_of(block);
  const bool bytes = manifest.dtype == torch::kByte;
  std::vector<TaskPictures> pictures;
  for (const TaskPlan& plan : plans) {
    check_rows(plan, manifest);
    const Episodes task = source->load(std::span(&plan, 1));
    pictures.push_back({to_pixels(task.support.inputs[0], view, bytes),
                        to_pixels(task.query.inputs[0], view, bytes)});
  }
  return pictures;
}

std::string png_address(const Tensor& image) {
  const std::string png = encode_png(image.contiguous());
  std::string text(4 * ((png.size() + 2) / 3) + 1, '\0');  // and the 0 that OpenSSL writes
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(png.data()),
                                     static_cast<int>(png.size()));
  text.resize(static_cast<size_t>(length));
  return "data:image/png;base64," + text;
}

}  // namespace kshot
