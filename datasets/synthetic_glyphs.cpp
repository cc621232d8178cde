// The embedded data set: handwritten characters that nobody has seen, after the manner of Omniglot
// (Lake et al. 2015, "Human-level concept learning through probabilistic program induction"): an
// alphabet is a way of making characters, a character is a few strokes, and each person who draws
// it has their own hand. Nothing is read from disk.

#include "datasets/synthetic_glyphs.h"

#include "datasets/glyph_drawing.h"

namespace kshot {
namespace {

// Branches of the random streams below the seed.
constexpr uint64_t kAlphabets = 0, kHands = 1;

int64_t count_alphabets(const GlyphOptions& options) {
  return options.train_alphabets + options.validation_alphabets + options.test_alphabets;
}

/// [alphabets * characters * drawings, 1, S, S].
Tensor draw_all(const GlyphOptions& options) {
  const int64_t size = options.image_size, pixels = size * size;
  const int64_t images = count_alphabets(options) * options.characters * options.drawings;
  if (images > (int64_t{1} << 32) / pixels) {
    throw Error(
        Exit::bad_spec,
        "synthetic_glyphs would draw {} images of {}x{} pixels; at most 4 GiB: lower alphabets, "
        "characters, drawings or image_size",
        images, size, size);
  }
  std::vector<Hand> hands;
  const Stream all_hands(options.seed, Purpose::glyphs, kHands);
  for (int64_t k = 0; k < options.drawings; ++k) {
    hands.push_back(invent_hand(options.jitter, all_hands.split(static_cast<uint64_t>(k))));
  }

  Tensor samples = torch::empty({images, 1, size, size}, torch::kByte);
  uint8_t* image = samples.data_ptr<uint8_t>();
  const Stream all_alphabets(options.seed, Purpose::glyphs, kAlphabets);
  for (int64_t a = 0; a < count_alphabets(options); ++a) {
    const Stream alphabet = all_alphabets.split(static_cast<uint64_t>(a));
    const AlphabetStyle style = invent_alphabet(alphabet);
    for (int64_t c = 0; c < options.characters; ++c) {
      const Stream stream = alphabet.split(static_cast<uint64_t>(c));
      const Character character = invent_character(style, stream);
      for (size_t k = 0; k < hands.size(); ++k, image += pixels) {
        draw(character, hands[k], options.jitter, stream.split(k), size,
             {image, static_cast<size_t>(pixels)});
      }
    }
  }
  return samples;
}

Manifest describe_glyphs(const GlyphOptions& options) {
  Manifest manifest;
  manifest.name = "synthetic_glyphs";
  manifest.shape = {1, options.image_size, options.image_size};
  manifest.source = "kshot's glyph generator";
  manifest.licence = "Apache-2.0";
  manifest.resize = "none";
  for (int64_t a = 0; a < count_alphabets(options); ++a) {
    const std::string alphabet = fmt::format("alphabet{:02}", a + 1);
    for (int64_t c = 0; c < options.characters; ++c) {
      manifest.classes.push_back({.name = fmt::format("{}/character{:02}", alphabet, c + 1),
                                  .group = alphabet,
                                  .first = manifest.samples(),
                                  .count = options.drawings});
    }
  }

  SplitScheme scheme;
  int64_t next = 0;
  for (const auto& [split, alphabets] : {std::pair{"train", options.train_alphabets},
                                         std::pair{"validation", options.validation_alphabets},
                                         std::pair{"test", options.test_alphabets}}) {
    for (const int64_t end = next + alphabets * options.characters; next < end; ++next) {
      scheme.members[split].push_back(next);
    }
  }
  manifest.splits["alphabets"] = std::move(scheme);
  manifest.default_split = "alphabets";
  return manifest;
}

}  // namespace

void GlyphOptions::describe(Fields& fields) {
  const Option alphabets{.help = "alphabets in this split", .min = 1, .max = 10000};
  fields.option("train_alphabets", train_alphabets, alphabets);
  fields.option("validation_alphabets", validation_alphabets, alphabets);
  fields.option("test_alphabets", test_alphabets, alphabets);
  fields.option("characters", characters,
                {.help = "classes of an alphabet", .min = 1, .max = 10000});
  fields.option("drawings", drawings,
                {.help = "images of a class, each by another hand", .min = 1, .max = 10000});
  fields.option("image_size", image_size, {.help = "pixels a side", .min = 12, .max = 512});
  fields.option("seed", seed, {.help = "another seed invents other alphabets and hands"});
  fields.option(
      "jitter", jitter,
      {.help = "how far drawings of a character differ; 0: in the pen alone, 0.5: easy, 1: "
               "nearest_pixel gets about half of 5-way 1-shot right",
       .min = 0,
       .max = 3});
  view.describe(fields);
}

DatasetPtr make_synthetic_glyphs(const GlyphOptions& options) {
  Tensor samples = draw_all(options);
  Manifest manifest = describe_glyphs(options);
  manifest.sha256 = content_sha256(manifest, {&samples, 1});
  return std::make_shared<TensorDataset>(std::move(manifest), std::move(samples));
}

namespace {

const DatasetRegistration kSyntheticGlyphs{DatasetPlugin::with<GlyphOptions>(
    {.name = "synthetic_glyphs",
     .summary = "procedurally drawn characters of invented alphabets; needs no file",
     .source = "kshot"},
    make_synthetic_glyphs)};

}  // namespace
}  // namespace kshot
