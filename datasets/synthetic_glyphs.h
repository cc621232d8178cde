#pragma once

#include "datasets/class_index.h"
#include "datasets/dataset.h"

namespace kshot {

struct GlyphOptions {
  int64_t train_alphabets = 30, validation_alphabets = 8, test_alphabets = 12;
  int64_t characters = 16;
  int64_t drawings = 20;
  int64_t image_size = 28;
  uint64_t seed = 0;
  double jitter = 1;
  DatasetView view;

  GlyphOptions() { view.invert = true; }  // ink becomes 1, paper 0
  void describe(Fields& fields);
};

/// Characters of invented alphabets, 20 drawings each, uint8 [1,S,S] with 0 = ink and 255 = paper.
/// A drawing is a pure function of (seed, jitter, image_size, alphabet, character, drawing): it
/// does not depend on how many others are made. Drawing k of every character is by the same hand.
/// Classes are "alphabet01/character01", groups are alphabets; the split "alphabets" keeps whole
/// alphabets apart. Throws Error(bad_spec) where the images would take more than 4 GiB.
DatasetPtr make_synthetic_glyphs(const GlyphOptions& options);

}  // namespace kshot
