#include <algorithm>

#include "datasets/hdf5_pack.h"
#include "datasets/image_codec.h"
#include "datasets/importer.h"
#include "episodes/episode_sampler.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::mini_imagenet_test {

using namespace kshot::test;

namespace {

namespace fs = std::filesystem;

std::string wordnet_id(int64_t c) { return fmt::format("n{:08}", 1532829 + 100 * c); }

std::string listed_name(int64_t c, int64_t number) {
  return fmt::format("{}{:08}.jpg", wordnet_id(c), number);
}

/// A list of the classes [first, first + classes), with images 1 to `images` of each.
std::string list_of(int64_t first, int64_t classes, int64_t images) {
  std::string text = "filename,label\n";
  for (int64_t c = first; c < first + classes; ++c) {
    for (int64_t i = 1; i <= images; ++i)
      text += fmt::format("{},{}\n", listed_name(c, i), wordnet_id(c));
  }
  return text;
}

/// The three lists in the proportions of the papers', of `train`, `validation`, `test` classes.
void write_lists(const fs::path& folder, int64_t train, int64_t validation, int64_t test,
                 int64_t images) {
  write_bytes(folder / "train.csv", list_of(0, train, images));
  write_bytes(folder / "val.csv", list_of(train, validation, images));
  write_bytes(folder / "test.csv", list_of(train + validation, test, images));
}

/// What each image shows: one shade, by class and number.
std::string picture(int64_t c, int64_t number, int64_t size = 6) {
  return encode_png(torch::full({3, size, size}, (31 * c + 7 * number) % 256).to(torch::kByte));
}

int64_t shade_of(const Dataset& pack, int64_t row) {
  const Tensor image = pack.load({&row, 1})[0];
  CHECK(image.min().item<int64_t>() == image.max().item<int64_t>());
  return image.max().item<int64_t>();
}

/// A small data set of 6 classes (3 + 1 + 2) with 2 images each; `place` says where one lies.
struct Small {
  TemporaryFolder folder;
  ImportRequest request;

  explicit Small(const std::function<std::string(int64_t c, int64_t number)>& place) {
    write_lists(folder / "top", 3, 1, 2, 2);
    for (int64_t c = 0; c < 6; ++c) {
      for (int64_t i = 1; i <= 2; ++i) write_bytes(folder / ("top/" + place(c, i)), picture(c, i));
    }
    request.sources = {folder / "top"};
    request.allow_incomplete = true;
  }

  ImportResult import() const {
    return import_dataset("mini_imagenet", request, folder / "out.h5");
  }

  std::string refusal(Exit code = Exit::bad_data) const {
    const auto error = caught([&] { import(); });
    REQUIRE(error);
    const std::string message = error->what();
    CAPTURE(message);
    CHECK(error->code() == code);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(!fs::exists(folder / "out.h5"));
    return message;
  }

  /// The right classes, splits and pixels.
  void check_whole() const {
    const Manifest manifest = import().manifest;
    CHECK(manifest.name == "mini_imagenet");
    CHECK(manifest.shape == std::vector<int64_t>{3, 84, 84});
    CHECK(manifest.default_split == "ravi_larochelle");
    const auto& members = manifest.splits.at("ravi_larochelle").members;
    CHECK(members.at("train") == std::vector<int64_t>{0, 1, 2});
    CHECK(members.at("validation") == std::vector<int64_t>{3});
    CHECK(members.at("test") == std::vector<int64_t>{4, 5});
    const DatasetPtr pack = open_pack(folder / "out.h5");
    REQUIRE(manifest.classes.size() == 6);
    for (int64_t c = 0; c < 6; ++c) {
      CHECK(manifest.classes[static_cast<size_t>(c)].name == wordnet_id(c));
      for (int64_t i = 1; i <= 2; ++i)
        CHECK(shade_of(*pack, 2 * c + i - 1) == (31 * c + 7 * i) % 256);
    }
  }
};

std::string in_class_folder(int64_t c, int64_t number) {
  return wordnet_id(c) + "/" + listed_name(c, number);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("class folders, a flat folder images/, and folders below images/ give the same pack") {
  Small(in_class_folder).check_whole();
  Small([](int64_t c, int64_t i) { return "images/" + listed_name(c, i); }).check_whole();
  Small([](int64_t c, int64_t i) { return "images/" + in_class_folder(c, i); }).check_whole();
  Small([](int64_t c, int64_t i) { return listed_name(c, i); }).check_whole();
}

TEST_CASE("an image may have another ending than its list says") {
  Small([](int64_t c, int64_t i) {
    return fs::path(in_class_folder(c, i)).replace_extension(i == 1 ? ".JPEG" : ".png").string();
  }).check_whole();
}

TEST_CASE("in ImageNet's own class folders the lists' numbers count the images, gaps left out") {
  Small([](int64_t c, int64_t i) {
    return fmt::format("{}/{}_{}.JPEG", wordnet_id(c), wordnet_id(c), i == 1 ? 9 : 10);
  }).check_whole();
}

TEST_CASE("where such a folder has fewer images than the list counts, none is taken for another") {
  const Small small([](int64_t c, int64_t i) {
    return fmt::format("{}/{}_{}.JPEG", wordnet_id(c), wordnet_id(c), i);
  });
  fs::remove(small.folder / fmt::format("top/{}/{}_1.JPEG", wordnet_id(0), wordnet_id(0)));
  CHECK(small.import().manifest.classes.front().name == wordnet_id(1));
}

TEST_CASE("lists and images may come as several sources") {
  Small small(in_class_folder);
  fs::create_directories(small.folder / "lists");
  for (const char* name : {"train.csv", "test.csv"})
    fs::rename(small.folder / "top" / name, small.folder / "lists" / name);
  fs::rename(small.folder / "top/val.csv", small.folder / "validation.csv");
  CHECK(has(small.refusal(), "the train list of mini-ImageNet is neither in the folder nor given"));
  small.request.sources = {small.folder / "validation.csv", small.folder / "top",
                           small.folder / "lists"};
  small.check_whole();
  fs::remove(small.folder / "out.h5");
  small.request.sources.push_back(small.folder / "lists/test.csv");
  CHECK(has(small.refusal(), "two lists of test"));
  small.request.sources = {small.folder / "lists/test.csv"};
  CHECK(has(small.refusal(Exit::bad_spec), "no folder given"));
}

TEST_CASE("what is not the whole is refused with every difference, or taken and noted") {
  Small small(in_class_folder);
  fs::remove(small.folder / ("top/" + in_class_folder(1, 2)));
  for (int64_t i = 1; i <= 2; ++i) fs::remove(small.folder / ("top/" + in_class_folder(4, i)));
  small.request.allow_incomplete = false;
  const std::string message = small.refusal();
  for (const char* part : {"the train list has 3 classes, expected 64",
                           "the validation list has 1 classes, expected 16",
                           "the test list has 2 classes, expected 20",
                           "6 of 6 classes are listed with other than 600 images, n01532829 with 2",
                           "3 of 12 listed images, of 2 classes, are not in the folder",
                           "n0153292900000002.jpg the first", "--allow-incomplete"})
    CHECK(has(message, part));
  small.request.allow_incomplete = true;
  const ImportResult result = small.import();
  CHECK(result.notes.size() == 5);
  CHECK(result.manifest.samples() == 9);
  CHECK(result.manifest.splits.at("ravi_larochelle").members.at("test") == std::vector<int64_t>{4});
}

TEST_CASE("a folder with none of the images is refused, incomplete or not") {
  const Small small([](int64_t c, int64_t i) { return fmt::format("other/{}_{}.png", c, i); });
  CHECK(has(small.refusal(), "holds none of the images"));
}

TEST_CASE("lists that are not what they should be are refused with the line") {
  const Small small(in_class_folder);
  const auto refusal = [&](const std::string& text) {
    write_bytes(small.folder / "top/val.csv", text);
    return small.refusal();
  };
  const std::string head = "filename,label\n", name = listed_name(3, 1), id = wordnet_id(3);
  CHECK(has(refusal(""), "val.csv: the first line is \"\", expected filename,label"));
  CHECK(has(refusal("label,filename\n"), "\"label,filename\""));
  CHECK(has(refusal(head + name + "\n"), "val.csv, line 2: 1 cells, expected 2"));
  CHECK(has(refusal(head + name + ",robin\n"), "label \"robin\", expected a WordNet id"));
  CHECK(has(refusal(head + "\n" + name + "," + wordnet_id(4) + "\n"), "val.csv, line 3: filename"));
  CHECK(has(refusal(head + id + "/../../../secret.jpg," + id + "\n"), "filename"));
  CHECK(has(refusal(head + std::string(100000, '1') + "," + id + "\n"), "filename \"111"));
  CHECK(has(refusal(head + name + "," + id + "\n" + name + "," + id + "\n"), "twice"));
  CHECK(has(refusal(list_of(2, 1, 1)), "class n01533029 stands in the list of train too"));
  write_bytes(small.folder / "top/val.csv", list_of(3, 1, 2));
  CHECK(small.import().manifest.classes.size() == 6);
}

TEST_CASE("other sizes and gray images as asked; options of others are refused") {
  Small small(in_class_folder);
  small.request.image_size = 5;
  small.request.channels = 1;
  small.request.resize = Resampling::nearest;
  const Manifest manifest = small.import().manifest;
  CHECK(manifest.shape == std::vector<int64_t>{1, 5, 5});
  CHECK(manifest.resize == "nearest 6x6 -> 5x5");
  small.request.splits_file = small.folder / "top/val.csv";
  CHECK(caught([&] { small.import(); })->code() == Exit::bad_spec);
}

TEST_CASE("a pack of the real shape: 100 classes of 3x84x84 in 64, 16 and 20, drawn from") {
  const TemporaryFolder folder;
  constexpr int64_t kImages = 3;
  write_lists(folder / "mini", 64, 16, 20, kImages);
  for (int64_t c = 0; c < 100; ++c) {
    for (int64_t i = 1; i <= kImages; ++i)
      write_bytes(folder / "mini" / in_class_folder(c, i), picture(c, i, 84));
  }
  ImportRequest request;
  request.sources = {folder / "mini"};
  CHECK(has(message_of([&] { import_dataset("mini_imagenet", request, folder / "out.h5"); }),
            "not the whole of mini-ImageNet: 100 of 100 classes are listed with other than 600"));
  request.allow_incomplete = true;
  const ImportResult result = import_dataset("mini_imagenet", request, folder / "out.h5");
  CHECK(result.notes.size() == 1);
  CHECK(result.manifest.classes.size() == 100);
  const DatasetPtr pack = open_pack(folder / "out.h5");
  const std::pair<const char*, size_t> parts[] = {{"train", 64}, {"validation", 16}, {"test", 20}};
  for (const auto& [split, classes] : parts) {
    const EpisodeSampler source(pack, {}, {.way = 5, .shot = 1, .query = 2}, {.splits = {split}});
    CHECK(source.classes().size() == classes);
    const TaskPlan plan = source.plan(0);
    CHECK(source.load({&plan, 1}).query.inputs.sizes() == c10::IntArrayRef({1, 10, 3, 84, 84}));
  }
}

}  // namespace kshot::mini_imagenet_test
