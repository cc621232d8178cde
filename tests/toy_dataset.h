#pragma once

#include <algorithm>
#include <string>

#include "datasets/dataset.h"
#include "framework/base/rng.h"

namespace kshot::test {

/// How large the toy data set is and how hard.
struct ToyOptions {
  int64_t train = 16, validation = 8, test = 8;  ///< classes
  int64_t images = 12;                           ///< of each class
  int64_t size = 8;                              ///< width and height
  double noise = 0.15;                           ///< of a pixel, where 1 is white
  double glare = 0.5;                            ///< largest change of a whole image's brightness
};

/// Gray images: each class has a pattern of its own on a grid of 4x4 cells, each image shows it
/// with noise and in another light. Split by classes in the manifest's order: train, validation,
/// test.
inline DatasetPtr toy_dataset(const ToyOptions& options = {}) {
  constexpr int64_t kCells = 4;
  const int64_t classes = options.train + options.validation + options.test;
  Manifest manifest;
  manifest.name = "toy";
  manifest.sha256 =
      "toy data, " + std::to_string(classes) + " classes of " + std::to_string(options.images);
  manifest.shape = {1, options.size, options.size};
  manifest.default_split = "toy";
  SplitScheme& scheme = manifest.splits["toy"];
  Tensor samples =
      torch::empty({classes * options.images, 1, options.size, options.size}, torch::kByte);
  auto pixels = samples.accessor<uint8_t, 4>();
  for (int64_t c = 0; c < classes; ++c) {
    const bool train = c < options.train,
               validation = !train && c < options.train + options.validation;
    scheme.members[train ? "train" : validation ? "validation" : "test"].push_back(c);
    manifest.classes.push_back(
        {"class" + std::to_string(c), "toys", c * options.images, options.images});
    const Stream of_class(0, Purpose::glyphs, static_cast<uint64_t>(c));
    double pattern[kCells][kCells];
    Stream cells = of_class.split(0);
    for (auto& row : pattern) {
      for (double& cell : row) cell = cells.uniform() < 0.5 ? 0.3 : 0.7;
    }
    for (int64_t i = 0; i < options.images; ++i) {
      Stream draws = of_class.split(static_cast<uint64_t>(1 + i));
      const double light = draws.uniform(-options.glare, options.glare);
      for (int64_t y = 0; y < options.size; ++y) {
        for (int64_t x = 0; x < options.size; ++x) {
          const double ink = pattern[y * kCells / options.size][x * kCells / options.size];
          const double value = ink + light + options.noise * draws.normal();
          pixels[c * options.images + i][0][y][x] =
              static_cast<uint8_t>(255 * std::clamp(value, 0.0, 1.0));
        }
      }
    }
  }
  return std::make_shared<TensorDataset>(std::move(manifest), samples);
}

}  // namespace kshot::test
