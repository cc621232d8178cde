#include "datasets/class_index.h"

#include "tests/base/caught.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::class_index_test {

using namespace kshot::test;

namespace {

DatasetView view_of(const std::string& splits, const std::string& rotations = "none") {
  DatasetView view;
  view.splits = splits;
  view.rotations = rotations;
  return view;
}

std::vector<std::string> names(const std::vector<IndexedClass>& classes) {
  std::vector<std::string> result;
  for (const IndexedClass& indexed : classes) result.push_back(indexed.name);
  return result;
}

using Names = std::vector<std::string>;
using Rows = std::vector<int64_t>;

}  // namespace

TEST_CASE("the classes of a split, with all their rows; no name means the default scheme") {
  const auto classes = index_classes(toy_manifest(), view_of(""), {"train"});
  CHECK(names(classes) == Names{"a/one", "b/\xc3\xa9"});
  CHECK(classes[0].rows == Rows{0, 1, 2, 3});
  CHECK(classes[1].rows == Rows{5, 6, 7});
  CHECK(classes[1].source == 2);
}

TEST_CASE("several splits together keep the manifest's order") {
  CHECK(names(index_classes(toy_manifest(), view_of("by_class"), {"test", "train"})) ==
        Names{"a/one", "a/two", "b/\xc3\xa9"});
}

TEST_CASE("turned classes follow in blocks of 90, 180 and 270 degrees and share rows and source") {
  const auto classes = index_classes(toy_manifest(), view_of("by_class", "all"), {"train"});
  CHECK(names(classes) == Names{"a/one", "b/\xc3\xa9", "a/one@90", "b/\xc3\xa9@90", "a/one@180",
                                "b/\xc3\xa9@180", "a/one@270", "b/\xc3\xa9@270"});
  for (size_t i = 0; i < classes.size(); ++i) {
    CHECK(classes[i].quarter_turns == static_cast<int>(i / 2));
    CHECK(classes[i].source == classes[i % 2].source);
    CHECK(classes[i].rows == classes[i % 2].rows);
  }
}

TEST_CASE("rotations of train leave other splits alone") {
  CHECK(index_classes(toy_manifest(), view_of("by_class", "train"), {"train"}).size() == 8);
  CHECK(index_classes(toy_manifest(), view_of("by_class", "train"), {"test"}).size() == 1);
  CHECK(index_classes(toy_manifest(), view_of("by_class", "train"), {"train", "test"}).size() ==
        3 + 3 * 2);
}

TEST_CASE("a scheme of images lists every class in every split, with the rows of that split") {
  for (const char* split : {"train", "validation", "test"}) {
    CHECK(names(index_classes(toy_manifest(), view_of("by_image"), {split})) ==
          Names{"a/one", "a/two", "b/\xc3\xa9"});
  }
  const auto train = index_classes(toy_manifest(), view_of("by_image"), {"train"});
  CHECK(train[0].rows == Rows{0, 1});
  CHECK(train[1].rows.empty());
  CHECK(train[2].rows == Rows{5});
  CHECK(index_classes(toy_manifest(), view_of("by_image"), {"validation", "train"})[2].rows ==
        Rows{5, 6});
}

TEST_CASE("unknown schemes and splits are refused with the nearest and the known names") {
  const Manifest manifest = toy_manifest();
  const auto scheme = caught([&] { index_classes(manifest, view_of("by_clas"), {"train"}); });
  REQUIRE(scheme);
  CHECK(scheme->code() == Exit::bad_spec);
  CHECK(std::string(scheme->what()).find("did you mean \"by_class\"") != std::string::npos);
  const std::string split =
      message_of([&] { index_classes(manifest, view_of(""), {"validation"}); });
  CHECK(split.find("it has test, train") != std::string::npos);
  Manifest bare = manifest;
  bare.splits.clear(), bare.default_split.clear();
  CHECK(message_of([&] { index_classes(bare, view_of(""), {"train"}); }).find("it has none") !=
        std::string::npos);
}

TEST_CASE("a view that does not fit the samples is refused before anything is loaded") {
  Manifest manifest = toy_manifest();
  DatasetView view;
  view.mean = {0.1, 0.2, 0.3};
  CHECK(message_of([&] { index_classes(manifest, view, {"train"}); }).find("3 values") !=
        std::string::npos);
  view.mean = {}, view.std = {0};
  CHECK(message_of([&] { index_classes(manifest, view, {"train"}); }).find("above 0") !=
        std::string::npos);
  manifest.shape = {1, 4, 5};
  CHECK(message_of([&] { index_classes(manifest, view_of("", "all"), {"train"}); }).find("1x4x5") !=
        std::string::npos);
  view = {};
  view.invert = true;
  CHECK(message_of([&] { index_classes(manifest, view, {"train"}); }).empty());
  manifest.dtype = torch::kFloat;
  CHECK(message_of([&] { index_classes(manifest, view, {"train"}); }).find("8-bit") !=
        std::string::npos);
  manifest.dtype = torch::kByte, manifest.shape = {20};
  CHECK(message_of([&] { index_classes(manifest, view, {"train"}); }).find("are 20") !=
        std::string::npos);
}

TEST_CASE("network input: bytes are scaled, then inverted, then normalised") {
  const Tensor bytes = torch::tensor({0, 51, 255}, torch::kByte).view({1, 1, 1, 3});
  DatasetView view;
  CHECK(torch::allclose(to_input(bytes, view), torch::tensor({0.F, 0.2F, 1.F}).view({1, 1, 1, 3})));
  view.invert = true;
  CHECK(torch::allclose(to_input(bytes, view), torch::tensor({1.F, 0.8F, 0.F}).view({1, 1, 1, 3})));
  view.mean = {0.5}, view.std = {0.25};
  CHECK(
      torch::allclose(to_input(bytes, view), torch::tensor({2.F, 1.2F, -2.F}).view({1, 1, 1, 3})));
  // numbers that are no bytes are taken as they are, and never changed in place
  const Tensor numbers = torch::tensor({2.0, -1.0}, torch::kDouble).view({1, 2, 1, 1});
  view = {};
  view.mean = {1, 2};
  CHECK(to_input(numbers, view).equal(torch::tensor({1.F, -3.F}).view({1, 2, 1, 1})));
  CHECK(numbers[0][0].item<double>() == 2.0);
}

}  // namespace kshot::class_index_test
