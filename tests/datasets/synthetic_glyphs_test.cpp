#include "datasets/synthetic_glyphs.h"

#include "framework/base/rng.h"
#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::synthetic_glyphs_test {

using test::caught;

namespace {

GlyphOptions few() {
  GlyphOptions options;
  options.train_alphabets = 3, options.validation_alphabets = 1, options.test_alphabets = 1;
  options.characters = 4;
  options.drawings = 5;
  return options;
}

/// [alphabets, characters, drawings, S, S] uint8.
Tensor images(const Dataset& dataset, const GlyphOptions& options) {
  const auto rows = torch::arange(dataset.manifest().samples());
  return dataset.load({rows.data_ptr<int64_t>(), static_cast<size_t>(rows.numel())})
      .view({-1, options.characters, options.drawings, options.image_size, options.image_size});
}

Tensor images(const GlyphOptions& options) {
  return images(*make_synthetic_glyphs(options), options);
}

/// Shared by the cases that measure the data set as it ships.
const Dataset& shipped() {
  static const DatasetPtr dataset = make_synthetic_glyphs({});
  return *dataset;
}

/// Share of queries whose nearest support image, by Euclidean distance of pixels, is of their
/// class.
double nearest_pixel_accuracy(const Dataset& dataset, int64_t shot, uint64_t episodes) {
  constexpr int64_t kWay = 5, kQueries = 15;
  const DatasetView view = GlyphOptions{}.view;
  const std::vector<IndexedClass> classes = index_classes(dataset.manifest(), view, {"test"});
  const Tensor labels = torch::arange(kWay);
  double sum = 0;
  for (uint64_t i = 0; i < episodes; ++i) {
    Stream stream(0, Purpose::test_tasks, i);
    std::vector<int64_t> support, query;
    for (const int64_t c : stream.choose(static_cast<int64_t>(classes.size()), kWay)) {
      const auto& rows = classes[static_cast<size_t>(c)].rows;
      const auto chosen = stream.choose(static_cast<int64_t>(rows.size()), shot + kQueries);
      for (size_t k = 0; k < chosen.size(); ++k) {
        auto& part = k < static_cast<size_t>(shot) ? support : query;
        part.push_back(rows[static_cast<size_t>(chosen[k])]);
      }
    }
    const Tensor near = torch::cdist(to_input(dataset.load(query), view).flatten(1),
                                     to_input(dataset.load(support), view).flatten(1));
    const Tensor predicted = near.argmin(1).div(shot, "floor");
    sum +=
        predicted.eq(labels.repeat_interleave(kQueries)).to(torch::kDouble).mean().item<double>();
  }
  return sum / static_cast<double>(episodes);
}

}  // namespace

TEST_CASE("a drawing does not depend on how many alphabets, characters and drawings are made") {
  const Tensor base = images(few());
  GlyphOptions more = few();
  more.train_alphabets = 4, more.characters = 7, more.drawings = 8;
  CHECK(torch::equal(images(more).slice(0, 0, 5).slice(1, 0, 4).slice(2, 0, 5), base));
  GlyphOptions less = few();
  less.train_alphabets = 1, less.characters = 2, less.drawings = 1;
  CHECK(torch::equal(images(less), base.slice(0, 0, 3).slice(1, 0, 2).slice(2, 0, 1)));
}

TEST_CASE("other seeds draw other characters") {
  GlyphOptions other = few();
  other.seed = 1;
  const Tensor same = images(few()).eq(images(other)).flatten(3).all(3);
  CHECK_FALSE(same.any().item<bool>());
}

TEST_CASE("no two images are the same, neither of one class nor of two") {
  const Tensor all = images(shipped(), {}).flatten(0, 2).flatten(1);
  CHECK(std::get<0>(torch::unique_dim(all, 0)).size(0) == all.size(0));
}

TEST_CASE("without jitter the drawings of a character differ by the pen alone") {
  GlyphOptions still = few();
  still.jitter = 0;
  const auto spread = [](const GlyphOptions& options) {
    return images(options).to(torch::kDouble).var(2, false).mean().item<double>();
  };
  CHECK(spread(still) < 0.15 * spread(few()));
}

TEST_CASE("two generations give the same bits, and those that earlier results were measured on") {
  const DatasetPtr once = make_synthetic_glyphs(few()), again = make_synthetic_glyphs(few());
  CHECK(once->manifest().sha256 == again->manifest().sha256);
  const Tensor pixels = images(*once, few());
  CHECK(torch::equal(pixels, images(*again, few())));
  const std::string_view bytes(static_cast<const char*>(pixels.data_ptr()), pixels.nbytes());
  CHECK(sha256_hex(bytes) == "3d976271f5760f6e096cf78a681bd6920e27da9cc3ad239afb56d8c4d0c5726f");
}

TEST_CASE("the data's sha256 follows pixels and manifest") {
  const std::string base = make_synthetic_glyphs(few())->manifest().sha256;
  GlyphOptions pixels = few(), splits = few();
  pixels.jitter = 0.9;
  splits.train_alphabets = 2, splits.validation_alphabets = 2;  // the same pixels
  CHECK(make_synthetic_glyphs(pixels)->manifest().sha256 != base);
  CHECK(make_synthetic_glyphs(splits)->manifest().sha256 != base);
}

TEST_CASE("the manifest is consistent and keeps alphabets apart") {
  const Manifest& manifest = shipped().manifest();
  CHECK(manifest.classes.size() == 50 * 16);
  CHECK(manifest.samples() == 50 * 16 * 20);
  CHECK(manifest.shape == std::vector<int64_t>{1, 28, 28});
  CHECK(manifest.classes[17].name == "alphabet02/character02");
  CHECK(manifest_to_json(manifest_from_json(manifest_to_json(manifest), "here")) ==
        manifest_to_json(manifest));
  std::map<std::string, std::string> split_of_group;
  for (const auto& [split, classes] : manifest.splits.at(manifest.default_split).members) {
    for (const int64_t c : classes) {
      const std::string& group = manifest.classes[static_cast<size_t>(c)].group;
      CHECK(split_of_group.emplace(group, split).first->second == split);
    }
  }
  CHECK(split_of_group.size() == 50);
}

TEST_CASE("images are dark lines on white paper, nowhere cut off") {
  for (const int64_t size : {28, 12, 84}) {
    GlyphOptions options = few();
    options.image_size = size, options.characters = 16, options.drawings = 20;
    const Tensor all = size == 28 ? images(shipped(), {}) : images(options);
    CAPTURE(size);
    CHECK((all.scalar_type() == torch::kByte));
    const Tensor ink = 1 - all.flatten(0, 2).to(torch::kFloat) / 255;
    const Tensor share = ink.mean({1, 2});
    CHECK(share.min().item<float>() > 0.015);
    CHECK(share.max().item<float>() < 0.4);
    // Every image has full black in it, unless the pen is thinner than a pixel.
    CHECK(ink.amax({1, 2}).min().item<float>() > (size < 28 ? 0.6 : 0.95));
    // The outermost pixels stay white.
    CHECK(ink.select(1, 0).max().item<float>() == 0);
    CHECK(ink.select(1, size - 1).max().item<float>() == 0);
    CHECK(ink.select(2, 0).max().item<float>() == 0);
    CHECK(ink.select(2, size - 1).max().item<float>() == 0);
  }
}

TEST_CASE("nearest_pixel scores 40-65 % in 5-way 1-shot on unseen alphabets") {
  const double one = nearest_pixel_accuracy(shipped(), 1, 300);
  const double five = nearest_pixel_accuracy(shipped(), 5, 300);
  MESSAGE("nearest_pixel: 1-shot " << one << ", 5-shot " << five);
  CHECK(one > 0.40);
  CHECK(one < 0.65);
  CHECK(five > one + 0.1);
}

TEST_CASE(
    "the plugin reads its block, looks at ink as 1 by default and refuses what is too large") {
  const auto& plugin = Registry<DatasetPlugin>::instance().find("synthetic_glyphs");
  const Json block = {
      {"name", "synthetic_glyphs"}, {"train_alphabets", 1}, {"validation_alphabets", 1},
      {"test_alphabets", 1},        {"characters", 2},      {"drawings", 3}};
  const Json resolved = plugin.resolve(block, "dataset");
  CHECK(resolved["invert"] == true);
  CHECK(resolved["image_size"] == 28);
  CHECK(plugin.make(block)->manifest().samples() == 18);
  const Json huge = {{"name", "synthetic_glyphs"}, {"characters", 10000}, {"drawings", 10000}};
  const auto error = caught([&] { plugin.make(huge); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("5000000000 images") != std::string::npos);
}

}  // namespace kshot::synthetic_glyphs_test
