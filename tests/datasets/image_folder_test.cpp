#include <cstdlib>

#include "datasets/class_index.h"
#include "datasets/export.h"
#include "datasets/hdf5_pack.h"
#include "datasets/image_codec.h"
#include "datasets/importer.h"
#include "datasets/split_rule.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::image_folder_test {

using namespace kshot::test;

namespace {

using Members = std::map<std::string, std::vector<int64_t>>;

/// `count` images of 5x6 below top/name, called 1.png and so on.
void add_class(const std::filesystem::path& top, const std::string& name, int64_t count,
               int64_t shade = 0) {
  for (int64_t i = 0; i < count; ++i) {
    write_bytes(top / name / (std::to_string(i + 1) + ".png"),
                encode_png(gray_image(5, 6, shade + i)));
  }
}

ImportResult import_folder(const TemporaryFolder& folder, ImportRequest request = {}) {
  request.sources = {folder / "top"};
  return import_dataset("folder", request, folder / "out.h5");
}

std::vector<std::string> class_names(const Manifest& manifest) {
  std::vector<std::string> names;
  for (const ClassInfo& info : manifest.classes) names.push_back(info.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a folder becomes classes by name, groups by the folders above, images in order") {
  const TemporaryFolder folder;
  add_class(folder / "top", "beta/two", 2, 10);
  add_class(folder / "top", "alpha", 1, 20);
  add_class(folder / "top", "beta/one", 3, 30);
  write_bytes(folder / "top/beta/one/notes.txt", "x");
  write_bytes(folder / "top/readme.md", "x");
  write_bytes(folder / "top/.hidden/1.png", "x");
  const ImportResult result = import_folder(folder);
  const Manifest& manifest = result.manifest;
  CHECK(class_names(manifest) == Names{"alpha", "beta/one", "beta/two"});
  CHECK(manifest.classes[1].group == "beta");
  CHECK(manifest.classes[0].group.empty());
  CHECK(manifest.name == "top");
  CHECK(manifest.shape == std::vector<int64_t>{1, 5, 6});
  CHECK(manifest.resize == "none");
  CHECK(result.notes == Names{"2 files that are no images were left out"});
  const DatasetPtr pack = open_pack(folder / "out.h5");
  const std::vector<int64_t> shades = {20, 30, 31, 32, 10, 11};
  for (int64_t row = 0; row < 6; ++row) {
    CHECK(pack->load({&row, 1})[0].equal(gray_image(5, 6, shades[static_cast<size_t>(row)])));
  }
}

TEST_CASE("the pack does not depend on the number of threads, and holds what resize gives") {
  const TemporaryFolder folder;
  for (int c = 0; c < 12; ++c) add_class(folder / "top", "c" + std::to_string(c), 5, c);
  ImportRequest request;
  request.image_size = 4;
  std::set<std::string> hashes;
  for (const int threads : {1, 2, 5}) {
    request.threads = threads;
    hashes.insert(import_folder(folder, request).manifest.sha256);
  }
  CHECK(hashes.size() == 1);
  const DatasetPtr pack = open_pack(folder / "out.h5");
  CHECK(pack->manifest().resize == "bilinear 5x6 -> 4x4");
  CHECK(pack->load(std::vector<int64_t>{3})[0].equal(
      resize(gray_image(5, 6, 3), 4, 4, Resampling::bilinear)));
  CHECK(load_image(folder / "top/c0/4.png", pack->manifest())
            .equal(pack->load(std::vector<int64_t>{3})[0]));
}

TEST_CASE("folders train, val and test divide the classes") {
  const TemporaryFolder folder;
  add_class(folder / "top", "train/b", 2), add_class(folder / "top", "val/a", 2),
      add_class(folder / "top", "test/g/c", 1);
  const Manifest manifest = import_folder(folder).manifest;
  CHECK(class_names(manifest) == Names{"a", "b", "g/c"});
  CHECK(manifest.default_split == "folders");
  const SplitScheme& scheme = manifest.splits.at("folders");
  CHECK(scheme.kind == SplitScheme::Kind::classes);
  CHECK(scheme.members == Members{{"train", {1}}, {"validation", {0}}, {"test", {2}}});
}

TEST_CASE("where classes lie in several of these folders, their images are divided") {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    add_class(folder / "top", std::string("train/") + name, 2),
        add_class(folder / "top", std::string("test/") + name, 1);
  }
  const Manifest manifest = import_folder(folder).manifest;
  CHECK(manifest.classes[1].first == 3);
  CHECK(manifest.splits.at("folders").kind == SplitScheme::Kind::images);
  CHECK(manifest.splits.at("folders").members ==
        Members{{"train", {0, 1, 3, 4}}, {"test", {2, 5}}});
  add_class(folder / "top", "test/new", 1);
  CHECK(message_of([&] { import_folder(folder); }).find("class \"new\"") != std::string::npos);
}

TEST_CASE("a file divides classes or images: CSV and JSON, quotes and all") {
  const TemporaryFolder folder;
  add_class(folder / "top", "a, b", 2), add_class(folder / "top", "c", 2),
      add_class(folder / "top", "d", 2);
  ImportRequest request;
  const auto scheme_of = [&](const std::string& file, const std::string& text) {
    write_bytes(folder / file, text);
    request.splits_file = folder / file;
    const Manifest manifest = import_folder(folder, request).manifest;
    return manifest.splits.at(manifest.default_split);
  };
  const Members by_class = {{"train", {0}}, {"validation", {2}}, {"test", {1}}};
  CHECK(scheme_of("s.csv", "class,split\r\n\"a, b\",train\r\nd,val\r\nc,test\r\n").members ==
        by_class);
  CHECK(scheme_of("t.csv", "\xef\xbb\xbfsplit,x,class\ntrain,1,\"a, b\"\nval,2,d\n\ntest,3,c")
            .members == by_class);
  CHECK(
      scheme_of("s.json", R"({"train": ["a, b"], "val": ["d"], "test": ["c"]} // done)").members ==
      by_class);
  CHECK(
      scheme_of(
          "n.json",
          R"({"name": "mine", "splits": {"train": ["a, b"], "validation": ["d"], "test": ["c"]}})")
          .members == by_class);
  CHECK(open_pack(folder / "out.h5")->manifest().default_split == "mine");

  const Members by_image = {{"train", {0, 2}}, {"test", {5}}};
  const SplitScheme images =
      scheme_of("i.csv", "filename,split\n\"a, b/1.png\",train\nc/1.png,train\nd/2.png,test\n");
  CHECK(images.kind == SplitScheme::Kind::images);
  CHECK(images.members == by_image);
  CHECK(scheme_of("i.json",
                  R"({"kind": "images", "train": ["a, b/1.png", "c/1.png"], "test": ["d/2.png"]})")
            .members == by_image);
  CHECK(import_folder(folder, request).notes == Names{"3 images are in no split"});

  const SplitScheme shares = scheme_of(
      "f.json", R"({"kind": "images", "fractions": {"train": 0.5, "test": 0.5}, "seed": 3})");
  CHECK(shares.members.at("train").size() == 3);
  CHECK(shares.members.at("test").size() == 3);
}

TEST_CASE("a file that divides badly is refused, with the line and the nearest name") {
  const TemporaryFolder folder;
  add_class(folder / "top", "cat", 2), add_class(folder / "top", "dog", 2);
  ImportRequest request;
  const auto refusal = [&](const std::string& file, const std::string& text) {
    write_bytes(folder / file, text);
    request.splits_file = folder / file;
    const auto error = caught([&] { import_folder(folder, request); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(!std::filesystem::exists(folder / "out.h5"));
    return std::string(error->what());
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(has(refusal("s.csv", "class,split\nct,train\n"), "did you mean \"cat\""));
  CHECK(has(refusal("s.csv", "class,split\ncat,training\n"), "line 2"));
  CHECK(has(refusal("s.csv", "class,split\ncat,train,1\n"), "3 cells"));
  CHECK(has(refusal("s.csv", "name,part\n"), "name,part"));
  CHECK(has(refusal("s.csv", "class,split\ncat,train\ncat,test\n"), "again"));
  CHECK(has(refusal("s.csv", "filename,split\n1.png,train\n"), "several images"));
  CHECK(has(refusal("s.csv", ""), "columns"));
  CHECK(has(refusal("s.json", "[1]"), "JSON block"));
  CHECK(has(refusal("s.json", R"({"trian": ["cat"]})"), "trian"));
  CHECK(has(refusal("s.json", R"({"train": "cat"})"), "list of names"));
  CHECK(has(refusal("s.json", R"({"kind": "pixels", "train": []})"), "pixels"));
  CHECK(has(refusal("s.json", R"({"fractions": {"train": 0.5, "test": 0.4}})"), "0.9"));
  CHECK(has(refusal("s.json", "{}"), "names no split"));
}

TEST_CASE("without a division, 64/16/20 % are drawn: whole classes from ten on, always images") {
  Manifest manifest = toy_manifest();
  manifest.classes.clear();
  for (int64_t c = 0; c < 25; ++c)
    manifest.classes.push_back({"c" + std::to_string(c), "", 10 * c, 10});
  const SplitScheme classes =
      apply_rule(default_rule(SplitScheme::Kind::classes), manifest, {}, "");
  CHECK(classes.members.at("train").size() == 16);
  CHECK(classes.members.at("validation").size() == 4);
  CHECK(classes.members.at("test").size() == 5);
  const SplitScheme images = apply_rule(default_rule(SplitScheme::Kind::images), manifest, {}, "");
  std::vector<int> per_class(25);
  for (const int64_t row : images.members.at("test")) ++per_class[static_cast<size_t>(row / 10)];
  CHECK(per_class == std::vector<int>(25, 2));
  manifest.splits = {{"random", classes}, {"images", images}};
  manifest.default_split = "random";
  manifest_from_json(manifest_to_json(manifest), "both");  // disjoint, in range

  const TemporaryFolder folder;
  for (int c = 0; c < 9; ++c) add_class(folder / "top", "c" + std::to_string(c), 3);
  CHECK(import_folder(folder).manifest.default_split == "images");
  add_class(folder / "top", "c9", 1);
  const Manifest ten = import_folder(folder).manifest;
  CHECK(ten.default_split == "random");
  CHECK(ten.splits.at("random").members.at("test").size() == 2);
  CHECK(ten.splits.at("images").members.at("train").size() == 10);
}

TEST_CASE("one unreadable image is named, the first by order, and no pack is left") {
  const TemporaryFolder folder;
  for (int c = 0; c < 5; ++c) add_class(folder / "top", "c" + std::to_string(c), 20);
  write_bytes(folder / "top/c1/7.png", "not an image");
  write_bytes(folder / "top/c3/7.png", "not an image either");
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto error = caught([&] { import_folder(folder); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()).find("c1/7.png") != std::string::npos);
  }
  CHECK(folder.names() == std::set<std::string>{"top"});
}

TEST_CASE("sizes that differ need --image-size, and then do not matter; colour makes all colour") {
  const TemporaryFolder folder;
  add_class(folder / "top", "a", 2);
  const Tensor red =
      torch::cat({torch::full({1, 9, 9}, 200), torch::zeros({2, 9, 9})}).to(torch::kByte);
  write_bytes(folder / "top/b/1.PNG", encode_png(red));
  const std::string message = message_of([&] { import_folder(folder); });
  CHECK(message.find("5x6") != std::string::npos);
  CHECK(message.find("9x9") != std::string::npos);
  CHECK(message.find("--image-size") != std::string::npos);
  ImportRequest request;
  request.image_size = 3;
  CHECK(import_folder(folder, request).manifest.shape == std::vector<int64_t>{3, 3, 3});
  const DatasetPtr colour = open_pack(folder / "out.h5");
  CHECK(colour->manifest().resize == "bilinear various sizes -> 3x3");
  CHECK(colour->load(std::vector<int64_t>{2})[0][0].eq(200).all().item<bool>());
  CHECK(colour->load(std::vector<int64_t>{2})[0][1].eq(0).all().item<bool>());
  request.channels = 1;
  CHECK(import_folder(folder, request).manifest.shape == std::vector<int64_t>{1, 3, 3});
  CHECK(open_pack(folder / "out.h5")
            ->load(std::vector<int64_t>{2})
            .eq(60)
            .all()
            .item<bool>());  // .299 * 200
}

TEST_CASE("kept originals load as the plain import does") {
  const TemporaryFolder folder;
  for (int c = 0; c < 3; ++c) add_class(folder / "top", "c" + std::to_string(c), 4, c);
  write_bytes(folder / "top/c0/1.png", encode_png(gray_image(30, 20)));
  ImportRequest request;
  request.image_size = 8;
  const Manifest plain_manifest = import_folder(folder, request).manifest;
  const Tensor plain = open_pack(folder / "out.h5")->load(all_rows(plain_manifest));
  request.keep_original = true;
  const Manifest manifest = import_folder(folder, request).manifest;
  CHECK(read_pack_info(folder / "out.h5").originals);
  CHECK(open_pack(folder / "out.h5")->load(all_rows(manifest)).equal(plain));
  CHECK(manifest.resize == plain_manifest.resize);
}

TEST_CASE("folders that hold no data set are refused") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "top/empty");
  CHECK(message_of([&] { import_folder(folder); }).find("no .png") != std::string::npos);
  write_bytes(folder / "top/1.png", encode_png(gray_image(2, 2)));
  CHECK(message_of([&] { import_folder(folder); }).find("beside the class folders") !=
        std::string::npos);
  ImportRequest request;
  request.sources = {folder / "none"};
  CHECK(caught([&] { import_dataset("folder", request, folder / "out.h5"); })->code() == Exit::io);
  request.sources = {folder / "top", folder / "top"};
  CHECK(caught([&] { import_dataset("folder", request, folder / "out.h5"); })->code() ==
        Exit::bad_spec);
  request.image_size = -3;
  CHECK(caught([&] { import_dataset("folder", request, folder / "out.h5"); })->code() ==
        Exit::bad_spec);
  CHECK(message_of([&] {
          import_dataset("omniglott", request, folder / "out.h5");
        }).find("did you mean \"omniglot\"") != std::string::npos);
}

TEST_CASE("a place that cannot be written to is found out before the work") {
  const TemporaryFolder folder;
  add_class(folder / "top", "a", 1);
  write_bytes(folder / "file", "x");
  ImportRequest request;
  request.sources = {folder / "top"};
  int64_t reports = 0;
  request.progress = [&](int64_t, int64_t) { ++reports; };
  const auto error = caught([&] { import_dataset("folder", request, folder / "file/out.h5"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
  CHECK(reports == 0);
  import_dataset("folder", request, folder / "deep/er/out.h5");
  CHECK(reports > 0);
}

TEST_CASE("an exported data set imports again as it was") {
  const TemporaryFolder folder;
  add_class(folder / "top", "train/g/a", 3, 1), add_class(folder / "top", "train/g/b", 2, 5),
      add_class(folder / "top", "test/c", 2, 9);
  import_folder(folder);
  const DatasetPtr before = open_pack(folder / "out.h5");
  CHECK(export_png(*before, folder / "export/here") == 7);
  CHECK(std::filesystem::exists(folder / "export/here/train/g/a/03.png"));
  ImportRequest request;
  request.sources = {folder / "export/here"};
  Manifest again = import_dataset("folder", request, folder / "again.h5").manifest;
  again.name = before->manifest().name, again.sha256 = before->manifest().sha256;
  CHECK(manifest_to_json(again) == manifest_to_json(before->manifest()));
  CHECK(open_pack(folder / "again.h5")->load(all_rows(again)).equal(before->load(all_rows(again))));

  CHECK(caught([&] { export_png(*before, folder / "export/here"); })->code() == Exit::bad_spec);
  ExportOptions few;
  few.classes = 1, few.images = 2;
  CHECK(export_png(*before, folder / "few", few) == 4);
}

TEST_CASE("nothing is exported outside of the folder, nor half") {
  const TemporaryFolder folder;
  Manifest manifest = toy_manifest();
  manifest.classes[1].name = "../evil";
  const TensorDataset dataset(manifest, toy_samples());
  const auto error = caught([&] { export_png(dataset, folder / "out"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
  CHECK(folder.names().empty());
  manifest = toy_manifest();
  manifest.splits.clear(), manifest.default_split.clear();
  CHECK(export_png(TensorDataset(manifest, toy_samples()), folder / "flat") == 8);
  CHECK(std::filesystem::exists(folder / "flat/a/two/01.png"));
}

TEST_CASE(
    "the data set \"pack\" finds its file here or below KSHOT_DATA, and says how to make it") {
  const TemporaryFolder folder;
  write_pack(folder / "toy.h5", toy_manifest(), toy_samples());
  const DatasetPlugin& plugin = Registry<DatasetPlugin>::instance().find("pack");
  const auto make = [&](const std::string& path) {
    return plugin.make({{"name", "pack"}, {"path", path}});
  };
  CHECK(make((folder / "toy.h5").string())->manifest().name == "toy");
  const auto error = caught([&] { make("toy.h5"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
  CHECK(std::string(error->what()).find("kshot data import") != std::string::npos);
  const char* before = std::getenv("KSHOT_DATA");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("KSHOT_DATA", folder.path().c_str(), 1);
  CHECK(make("toy.h5")->manifest().name == "toy");
  before == nullptr ? ::unsetenv("KSHOT_DATA") : ::setenv("KSHOT_DATA", kept.c_str(), 1);
  CHECK(caught([&] { make(""); })->code() == Exit::bad_spec);
  CHECK(caught([&] { plugin.make({{"name", "pack"}, {"pth", "x"}}); })->code() == Exit::bad_spec);
}

}  // namespace kshot::image_folder_test
