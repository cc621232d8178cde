#include "datasets/archive.h"
#include "datasets/class_index.h"
#include "datasets/hdf5_pack.h"
#include "datasets/image_codec.h"
#include "datasets/importer.h"
#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::omniglot_test {

using namespace kshot::test;

namespace {

/// 105x105 one-bit images, each different.
std::string fake_drawing(int64_t number) {
  Tensor image = torch::full({1, 105, 105}, 255, torch::kByte);
  image.view({-1}).narrow(0, number, 5).zero_();
  return encode_png(image);
}

/// Made-up content of the shape of an official zip: the right names and counts. Most drawings are
/// no images, for what is found before any is decoded.
std::vector<ArchiveItem> fake_part(const std::string& part, int64_t alphabets, int64_t characters) {
  const char initial = part == "images_background" ? 'B' : 'E';
  std::vector<ArchiveItem> items;
  for (int64_t c = 0; c < characters; ++c) {
    for (int64_t k = 0; k < 20; ++k) {
      items.push_back({fmt::format("{}/{}{:02}/character{:02}/{:04}_{:02}.png", part, initial,
                                   c % alphabets, c / alphabets + 1, c + 1, k + 1),
                       c == 0 ? fake_drawing(k) : fmt::format("{} {}", c, k)});
    }
  }
  return items;
}

const std::filesystem::path& shared_pack(const std::filesystem::path& zips) {
  static const TemporaryFolder folder;
  static const std::filesystem::path path = folder / "omniglot28.h5";
  if (!std::filesystem::exists(path)) {
    ImportRequest request;
    request.sources = {zips / "images_evaluation.zip", zips / "images_background.zip"};
    request.image_size = 28;
    request.resize = Resampling::nearest;
    import_dataset("omniglot", request, path);
  }
  return path;
}

size_t count(const Manifest& manifest, const char* splits, const char* split,
             const char* rotations) {
  DatasetView view;
  view.splits = splits;
  view.rotations = rotations;
  return index_classes(manifest, view, {split}).size();
}

}  // namespace

TEST_CASE(
    "real Omniglot: 964 + 659 characters of 50 alphabets, 20 drawings each; the splits' counts") {
  const std::filesystem::path zips = real_data("omniglot");
  if (zips.empty()) {
    MESSAGE("skipped: no omniglot folder below KSHOT_DATA or ../shared/data");
    return;
  }
  const Manifest manifest = open_pack(shared_pack(zips))->manifest();
  CHECK(manifest.classes.size() == 964 + 659);
  CHECK(manifest.shape == std::vector<int64_t>{1, 28, 28});
  CHECK(manifest.resize == "nearest 105x105 -> 28x28");
  std::set<std::string> alphabets;
  for (const ClassInfo& info : manifest.classes) {
    CHECK(info.count == 20);
    CHECK(info.name.starts_with(info.group + "/character"));
    alphabets.insert(info.group);
  }
  CHECK(alphabets.size() == 50);
  CHECK(manifest.default_split == "vinyals");
  CHECK(count(manifest, "", "train", "all") == 4112);
  CHECK(count(manifest, "", "validation", "all") == 688);
  CHECK(count(manifest, "", "test", "all") == 1692);
  CHECK(count(manifest, "", "test", "none") == 423);
  const char* lake = "background_evaluation";
  CHECK(count(manifest, lake, "train", "none") + count(manifest, lake, "validation", "none") ==
        964);
  CHECK(count(manifest, lake, "test", "none") == 659);
  CHECK(count(manifest, lake, "validation", "none") > 100);
}

TEST_CASE("real Omniglot: pixels are the zip's, resized as Pillow resizes one-bit images") {
  const std::filesystem::path zips = real_data("omniglot");
  if (zips.empty()) {
    MESSAGE("skipped: no omniglot folder below KSHOT_DATA or ../shared/data");
    return;
  }
  const DatasetPtr pack = open_pack(shared_pack(zips));
  const Tensor all = pack->load(all_rows(pack->manifest()));
  CHECK(all.sizes() == c10::IntArrayRef({32460, 1, 28, 28}));
  CHECK(((all == 0) | (all == 255)).all().item<bool>());
  // sha256 of all pixels in the order of the manifest, from Python: zipfile, Pillow 11.3,
  // resize((28, 28), NEAREST)
  CHECK(sha256_hex({static_cast<const char*>(all.const_data_ptr()), all.nbytes()}) ==
        "795cbc57a795d4f33163eb153accb274e2e460bc00bc58190b32eaeb6777a9ce");
}

TEST_CASE("zips that are not Omniglot's are refused, each fault by name") {
  const TemporaryFolder folder;
  const std::vector<ArchiveItem> background = fake_part("images_background", 30, 964);
  const std::vector<ArchiveItem> evaluation = fake_part("images_evaluation", 20, 659);
  write_archive(folder / "evaluation.zip", evaluation);
  const auto refusal = [&](const std::vector<ArchiveItem>& items) {
    write_archive(folder / "background.zip", items);
    ImportRequest request;
    request.sources = {folder / "background.zip", folder / "evaluation.zip"};
    const auto error = caught([&] { import_dataset("omniglot", request, folder / "out.h5"); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(!std::filesystem::exists(folder / "out.h5"));
    return std::string(error->what());
  };
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(refusal({background.begin(), background.end() - 20}),
      "963 characters of 30 alphabets, expected 964 of 30");
  has(refusal({background.begin(), background.end() - 1}), "has 19 drawings, expected 20");
  std::vector<ArchiveItem> items = background;
  items[5].path = "images_background/B00/character01/0001_21.png";
  has(refusal(items), "expected 0001_06.png");
  items[5].path = "images_background/B00/character01/6.png";
  has(refusal(items), "expected names like");
  has(refusal(evaluation), "is there twice");
  has(refusal({{"other/readme.txt", "x"}}), "holds no image of Omniglot");
  has(refusal(background),
      "the zips lack");  // names of Vinyals et al. are not among the made-up ones
}

TEST_CASE("real Omniglot with one drawing that is not 105x105 one-bit is refused, naming it") {
  const std::filesystem::path zips = real_data("omniglot");
  if (zips.empty()) {
    MESSAGE("skipped: no omniglot folder below KSHOT_DATA or ../shared/data");
    return;
  }
  const TemporaryFolder folder;
  std::vector<ArchiveItem> items;
  read_archive(zips / "images_evaluation.zip",
               [&](ArchiveEntry entry) { items.push_back({entry.path, std::move(entry.bytes)}); });
  ArchiveItem& drawing = items[items.size() / 2];
  ImportRequest request;
  request.sources = {zips / "images_background.zip", folder / "evaluation.zip"};
  request.image_size = 28;
  for (const Tensor& image : {gray_image(105, 105), torch::zeros({1, 104, 105}, torch::kByte)}) {
    drawing.bytes = encode_png(image);
    write_archive(folder / "evaluation.zip", items);
    const std::string message =
        message_of([&] { import_dataset("omniglot", request, folder / "out.h5"); });
    CAPTURE(message);
    CHECK(message.find(drawing.path.substr(drawing.path.find('/') + 1)) != std::string::npos);
    CHECK(message.find("expected a one-bit image of 105x105") != std::string::npos);
    CHECK(!std::filesystem::exists(folder / "out.h5"));
  }
}

TEST_CASE("omniglot takes exactly its two zips") {
  const TemporaryFolder folder;
  write_archive(folder / "evaluation.zip", {{"images_evaluation/E/character01/0001_01.png", "x"}});
  ImportRequest request;
  request.sources = {folder / "evaluation.zip"};
  const auto error = caught([&] { import_dataset("omniglot", request, folder / "out.h5"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("images_background.zip") != std::string::npos);
  request.sources.push_back(folder / "evaluation.zip");
  CHECK(message_of([&] { import_dataset("omniglot", request, folder / "out.h5"); }).find("twice") !=
        std::string::npos);
}

}  // namespace kshot::omniglot_test
