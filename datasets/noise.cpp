// Random pixels, without any meaning: images of any shape for `kshot bench` and for trying whether
// a spec runs, where the real data are not at hand. Nothing can be learned from them.
#include "datasets/class_index.h"
#include "datasets/dataset.h"
#include "framework/base/error.h"
#include "framework/base/rng.h"

namespace kshot {
namespace {

struct NoiseOptions {
  std::vector<int64_t> shape{1, 28, 28};
  int64_t train_classes = 64, validation_classes = 16, test_classes = 20;
  int64_t samples = 20;
  uint64_t seed = 0;
  DatasetView view;

  void describe(Fields& fields) {
    fields.option("shape", shape, {.help = "of one sample, [C,H,W]", .min = 1, .max = 4096});
    const Option classes{.help = "classes in this split", .min = 1, .max = 100000};
    fields.option("train_classes", train_classes, classes);
    fields.option("validation_classes", validation_classes, classes);
    fields.option("test_classes", test_classes, classes);
    fields.option("samples", samples, {.help = "images of a class", .min = 1, .max = 100000});
    fields.option("seed", seed, {.help = "another seed, other pixels"});
    view.describe(fields);
  }
};

Manifest describe_noise(const NoiseOptions& options) {
  Manifest manifest;
  manifest.name = "noise";
  manifest.shape = options.shape;
  manifest.source = "kshot's random streams";
  manifest.licence = "Apache-2.0";
  manifest.resize = "none";
  SplitScheme scheme;
  for (const auto& [split, classes] : {std::pair{"train", options.train_classes},
                                       std::pair{"validation", options.validation_classes},
                                       std::pair{"test", options.test_classes}}) {
    for (int64_t c = 0; c < classes; ++c) {
      scheme.members[split].push_back(static_cast<int64_t>(manifest.classes.size()));
      manifest.classes.push_back({.name = fmt::format("{}/{:05}", split, c + 1),
                                  .group = split,
                                  .first = manifest.samples(),
                                  .count = options.samples});
    }
  }
  manifest.splits["noise"] = std::move(scheme);
  manifest.default_split = "noise";
  return manifest;
}

DatasetPtr make_noise(const NoiseOptions& options) {
  Manifest manifest = describe_noise(options);
  double bytes = static_cast<double>(manifest.samples());
  for (const int64_t size : options.shape) bytes *= static_cast<double>(size);
  if (bytes > 4.0 * (int64_t{1} << 30)) {
    throw Error(Exit::bad_spec,
                "noise would be {:.1f} GiB, at most 4: lower dataset.shape, classes or samples",
                bytes / (int64_t{1} << 30));
  }
  std::vector<int64_t> shape = options.shape;
  shape.insert(shape.begin(), manifest.samples());
  Tensor samples = torch::empty(shape, torch::kByte);
  uint8_t* pixels = samples.data_ptr<uint8_t>();
  Stream stream(options.seed, Purpose::glyphs, 0);
  for (int64_t i = 0; i < samples.numel(); i += 4) {
    uint32_t word = stream.next_u32();
    for (int64_t k = i; k < std::min(i + 4, samples.numel()); ++k, word >>= 8)
      pixels[k] = static_cast<uint8_t>(word);
  }
  manifest.sha256 = content_sha256(manifest, {&samples, 1});
  return std::make_shared<TensorDataset>(std::move(manifest), std::move(samples));
}

const DatasetRegistration kNoise{DatasetPlugin::with<NoiseOptions>(
    {.name = "noise",
     .summary = "random pixels of any shape, for benchmarks; nothing to learn",
     .source = "kshot"},
    make_noise)};

}  // namespace
}  // namespace kshot
