#include <cmath>
#include <limits>

#include "datasets/class_index.h"
#include "datasets/export.h"
#include "datasets/hdf5_pack.h"
#include "datasets/importer.h"
#include "episodes/episode_sampler.h"
#include "framework/run/evaluator.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/npy_bytes.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::vectors_test {

using namespace kshot::test;

namespace {

using Names = std::vector<std::string>;

/// A folder, and imports of the files put into it.
struct Import {
  TemporaryFolder folder;
  ImportRequest request;

  ImportResult operator()(const Names& sources) {
    request.sources.clear();
    for (const std::string& source : sources) request.sources.push_back(folder / source);
    return import_dataset("vectors", request, folder / "out.h5");
  }

  ImportResult csv(const std::string& text) {
    write_bytes(folder / "x.csv", text);
    return (*this)({"x.csv"});
  }

  Tensor samples() const {
    const DatasetPtr pack = open_pack(folder / "out.h5");
    return pack->load(all_rows(pack->manifest()));
  }

  /// One line that names the file and says `part`; no pack is left.
  template <class Action>
  void refuses(Action action, const std::string& part, Exit code = Exit::bad_data) {
    const auto error = caught(action);
    CAPTURE(part);
    REQUIRE(error);
    const std::string message = error->what();
    CAPTURE(message);
    CHECK(error->code() == code);
    CHECK(message.find(part) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(!std::filesystem::exists(folder / "out.h5"));
  }
};

Names class_names(const Manifest& manifest) {
  Names names;
  for (const ClassInfo& info : manifest.classes) names.push_back(info.name);
  return names;
}

bool has_note(const ImportResult& result, const std::string& part) {
  for (const std::string& note : result.notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

/// `classes` clusters of `count` points each in `features` dimensions, far from one another.
std::string clusters_csv(int64_t classes, int64_t count, int64_t features) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < classes; ++c) {
      for (int64_t f = 0; f < features; ++f) {
        const double centre = f == c % features ? 10.0 * static_cast<double>(c + 1) : 0;
        text += fmt::format("{},", centre + 0.01 * std::sin(static_cast<double>(7 * i + f)));
      }
      text += fmt::format("species {:02}\n", c);
    }
  }
  return text;
}

}  // namespace

TEST_CASE("a table becomes classes by label, rows in the order of the file, float32 as written") {
  Import vectors;
  const ImportResult result =
      vectors.csv("length,width,kind\n1,2.5,b\n-3e2,0.1,a\n\n4,5,b\r\n .5 , 6,\"a\"\n7,8,c");
  const Manifest& manifest = result.manifest;
  CHECK(class_names(manifest) == Names{"a", "b", "c"});
  CHECK(manifest.classes[2].count == 1);
  CHECK(manifest.shape == std::vector<int64_t>{2});
  CHECK(manifest.dtype == torch::kFloat);
  CHECK(manifest.name == "x");
  CHECK(manifest.default_split == "images");
  CHECK(vectors.samples().equal(
      torch::tensor({{-300.F, 0.1F}, {0.5F, 6.F}, {1.F, 2.5F}, {4.F, 5.F}, {7.F, 8.F}})));
  CHECK(has_note(result, "labels are column 3 of 3, \"kind\"; line 1 is a header"));
}

TEST_CASE("labels that are whole numbers are ordered by value, words after them") {
  Import vectors;
  const ImportResult result = vectors.csv("0,10\n0,9\n0,word\n0,-1\n0,100\n");
  CHECK(class_names(result.manifest) == Names{"-1", "9", "10", "100", "word"});
  CHECK(has_note(result, "there is no header"));
}

TEST_CASE("the label column is the last, or chosen by name or by number") {
  Import vectors;
  const std::string text = "id,kind,x\n7,a,1\n8,b,2\n";
  vectors.request.label_column = "kind";
  CHECK(class_names(vectors.csv(text).manifest) == Names{"a", "b"});
  CHECK(vectors.samples().equal(torch::tensor({{7.F, 1.F}, {8.F, 2.F}})));
  vectors.request.label_column = "2";
  CHECK(class_names(vectors.csv(text).manifest) == Names{"a", "b"});
  vectors.request.label_column = "1";
  CHECK(class_names(vectors.csv("5,0.5\n6,0.25\n").manifest) == Names{"5", "6"});
  // A header of numbers is one because the label column is named.
  vectors.request.label_column = "y";
  CHECK(class_names(vectors.csv("0,1,y\n3,4,a\n").manifest) == Names{"a"});
}

TEST_CASE("a label column that is not there is refused with the nearest name") {
  Import vectors;
  const std::string text = "id,kind,kind2,kind2\n7,8,a,b\n";
  vectors.request.label_column = "knid";
  vectors.refuses([&] { vectors.csv(text); }, "did you mean \"kind\"", Exit::bad_spec);
  vectors.request.label_column = "5";
  vectors.refuses([&] { vectors.csv(text); }, "a number from 1 to 4", Exit::bad_spec);
  vectors.request.label_column = "kind2";
  vectors.refuses([&] { vectors.csv(text); }, "two columns", Exit::bad_spec);
}

TEST_CASE("a table's faults are named by file, line, column and value") {
  Import vectors;
  const auto refuses = [&](const std::string& text, const std::string& part) {
    vectors.refuses([&] { vectors.csv(text); }, "x.csv" + part);
  };
  refuses("1,2,a\n1,b\n", ", line 2: 2 cells, expected 3");
  refuses("1,2,a\n1,2,3,b\n", ", line 2: 4 cells, expected 3");
  refuses("f,g,y\n1,2,a\n\n1,\"2,b\n", ", line 4: 2 cells, expected 3");
  refuses("1,2,a\n1,nan,a\n", ", line 2, column 2: \"nan\", expected a finite number");
  refuses("nan,1,a\n", ", line 1, column 1: \"nan\"");
  refuses("1,-inf,a\n", ", line 1, column 2: \"-inf\"");
  refuses("1,1e39,a\n", ", line 1, column 2: \"1e39\", expected a finite number of 32 bits");
  refuses("1,1e999,a\n", ", line 1, column 2: \"1e999\"");
  refuses("x,y,label\n1,two,a\n", ", line 2, column 2: \"two\"");
  refuses("1,2x,a\n", ", line 1, column 2: \"2x\"");
  refuses("1,2,a\n1,,a\n", ", line 2, column 2: \"\"");
  refuses("1,2,a\n1,2,\n", ", line 2, column 3: \"\", expected a label");
  refuses("1,2,\xff\n", ", line 1, column 3");
  refuses("", ": empty");
  refuses("\n \n", ": empty");
  refuses("x,y,label\n", ": a header and no line of numbers");
  refuses("1\n2\n", ": line 1 has 1 cell");
  refuses(std::string("1,2\0,a\n", 7), ", line 1, column 2: \"2\\u0000\"");
}

TEST_CASE("an array keeps its shape and type: float32, uint8; float64 is rounded") {
  Import vectors;
  const Tensor values = torch::arange(60, torch::kFloat).view({5, 3, 2, 2}) / 7;
  write_bytes(vectors.folder / "x.npy", npy_bytes(values, "<f4"));
  write_bytes(vectors.folder / "y.npy", npy_bytes(torch::tensor({1, 0, 1, 0, 2}), "<i8"));
  const Manifest manifest = vectors({"x.npy", "y.npy"}).manifest;
  CHECK(manifest.shape == std::vector<int64_t>{3, 2, 2});
  CHECK(class_names(manifest) == Names{"0", "1", "2"});
  const Tensor order = torch::tensor({1, 3, 0, 2, 4});
  CHECK(vectors.samples().equal(values.index_select(0, order)));

  write_bytes(vectors.folder / "x.npy", npy_bytes(values.to(torch::kDouble), "<f8"));
  const ImportResult rounded = vectors({"x.npy", "y.npy"});
  CHECK(rounded.manifest.sha256 == manifest.sha256);
  CHECK(has_note(rounded, "rounded to 32"));

  write_bytes(vectors.folder / "x.npy", npy_bytes(values.to(torch::kByte), "|u1"));
  CHECK(vectors({"x.npy", "y.npy"}).manifest.dtype == torch::kByte);
  CHECK(vectors.samples().equal(values.to(torch::kByte).index_select(0, order)));
}

TEST_CASE("labels come as text or as numbers, given or beside the array") {
  Import vectors;
  write_bytes(vectors.folder / "x.npy", npy_bytes(torch::rand({3, 2}), "<f4"));
  write_bytes(vectors.folder / "names.txt", "\xef\xbb\xbfred fox\r\nowl\r\nred fox\r\n\r\n");
  CHECK(class_names(vectors({"x.npy", "names.txt"}).manifest) == Names{"owl", "red fox"});
  std::filesystem::remove(vectors.folder / "out.h5");
  vectors.refuses([&] { vectors({"x.npy"}); }, "neither of x.labels.npy", Exit::bad_spec);
  write_bytes(vectors.folder / "x.labels.txt", "a\nb\nb");
  CHECK(class_names(vectors({"x.npy"}).manifest) == Names{"a", "b"});
  std::filesystem::remove(vectors.folder / "out.h5");
  write_bytes(vectors.folder / "x.labels.npy",
              npy_bytes(torch::tensor({3, 4, 5}, torch::kByte), "|u1"));
  vectors.refuses([&] { vectors({"x.npy"}); }, "both of x.labels.npy", Exit::bad_spec);
  std::filesystem::remove(vectors.folder / "x.labels.txt");
  CHECK(class_names(vectors({"x.npy"}).manifest) == Names{"3", "4", "5"});
}

TEST_CASE("an array's faults are named by file and value") {
  Import vectors;
  const auto refuses = [&](const Tensor& values, const char* type, const std::string& part) {
    write_bytes(vectors.folder / "x.npy", npy_bytes(values, type));
    vectors.refuses([&] { vectors({"x.npy", "y.txt"}); }, part);
  };
  write_bytes(vectors.folder / "y.txt", "a\nb\n");
  Tensor values = torch::zeros({2, 3});
  values[1][2] = std::numeric_limits<float>::quiet_NaN();
  refuses(values, "<f4", "x.npy: nan at [1,2], expected finite numbers");
  values[1][2] = 0, values[0][1] = -std::numeric_limits<float>::infinity();
  refuses(values, "<f4", "x.npy: -inf at [0,1]");
  refuses(torch::full({2, 3}, 1e300, torch::kDouble), "<f8", "x.npy: 1e+300 at [0,0]");
  refuses(torch::zeros({2, 3}, torch::kLong), "<i8", "x.npy: whole numbers of 64 bits, expected");
  refuses(torch::zeros({2}), "<f4", "x.npy: an array of shape [2]");
  refuses(torch::zeros({0, 3}), "<f4", "x.npy: an array of shape [0,3]");
  refuses(torch::zeros({2, 0}), "<f4", "x.npy: an array of shape [2,0]");
  refuses(torch::zeros({2, 1, 1, 1, 1, 1, 1, 1, 1, 1}), "<f4", "2 to 9 axes");
  refuses(torch::zeros({3, 2}), "<f4", "y.txt: 2 labels, expected 3, one for each row of");
  write_bytes(vectors.folder / "y.txt", "a\n\nb\n");
  refuses(torch::zeros({3, 2}), "<f4", "y.txt, line 2: \"\", expected a label");
  write_bytes(vectors.folder / "y.txt", "");
  refuses(torch::zeros({3, 2}), "<f4", "y.txt: 0 labels, expected 3");

  write_bytes(vectors.folder / "y.npy", npy_bytes(torch::zeros({3}), "<f4"));
  vectors.refuses([&] { vectors({"x.npy", "y.npy"}); }, "y.npy: floating-point numbers");
  write_bytes(vectors.folder / "y.npy", npy_bytes(torch::zeros({3, 1}, torch::kLong), "<i8"));
  vectors.refuses([&] { vectors({"x.npy", "y.npy"}); }, "y.npy: an array of shape [3,1]");
  write_bytes(vectors.folder / "x.npy", "not an array");
  vectors.refuses([&] { vectors({"x.npy", "y.npy"}); }, "x.npy: no .npy file");
}

TEST_CASE("options and sources that mean nothing to vectors are refused, not passed over") {
  Import vectors;
  write_bytes(vectors.folder / "x.npy", npy_bytes(torch::zeros({3, 2}), "<f4"));
  write_bytes(vectors.folder / "x.labels.txt", "a\nb\nc\n");
  const auto refuses = [&](const std::string& part, const Names& sources = {"x.npy"}) {
    vectors.refuses([&] { vectors(sources); }, part, Exit::bad_spec);
    vectors.request = {};
  };
  vectors.request.image_size = 28;
  refuses("vectors takes no --image-size, but --splits, --label-column");
  vectors.request.resize = Resampling::nearest;
  refuses("no --resize");
  vectors.request.channels = 1;
  refuses("no --channels");
  vectors.request.keep_original = true;
  refuses("no --keep-original");
  vectors.request.label_column = "kind";
  refuses("no columns with names");
  refuses("expected a file named .csv or .npy", {"x.labels.txt"});
  refuses("3 sources given", {"x.npy", "x.labels.txt", "x.labels.txt"});
  vectors.request.label_column = "kind";
  vectors.request.sources = {vectors.folder.path()};
  vectors.refuses([&] { import_dataset("folder", vectors.request, vectors.folder / "out.h5"); },
                  "folder takes no --label-column", Exit::bad_spec);
}

TEST_CASE("classes are divided at random from ten on, or by a file, as those of images are") {
  Import vectors;
  const Manifest random = vectors.csv(clusters_csv(12, 3, 4)).manifest;
  CHECK(random.default_split == "random");
  CHECK(random.splits.at("random").members.at("test").size() == 2);
  CHECK(random.splits.contains("images"));

  write_bytes(vectors.folder / "mine.csv",
              "class,split\nspecies 00,train\nspecies 02,test\nspecies 01,val\n");
  vectors.request.splits_file = vectors.folder / "mine.csv";
  const ImportResult mine = vectors.csv(clusters_csv(4, 3, 4));
  CHECK(mine.manifest.default_split == "mine");
  CHECK(mine.manifest.splits.at("mine").members.at("test") == std::vector<int64_t>{2});
  CHECK(has_note(mine, "1 classes are in no split"));
  std::filesystem::remove(vectors.folder / "out.h5");
  write_bytes(vectors.folder / "mine.csv", "class,split\nspecies 99,train\n");
  vectors.refuses([&] { vectors.csv(clusters_csv(4, 3, 4)); }, "\"species 99\" is not in");
  write_bytes(vectors.folder / "mine.csv", "filename,split\n1.png,train\n");
  vectors.refuses([&] { vectors.csv(clusters_csv(4, 3, 4)); }, "names files");
}

TEST_CASE("vectors pass through pack, sampler, algorithm and evaluation, as they were written") {
  Import vectors;
  vectors.csv(clusters_csv(20, 6, 5));
  const DatasetPtr pack = open_pack(vectors.folder / "out.h5");
  const EpisodeSampler source(pack, {}, {.way = 4, .shot = 2, .query = 3}, {});
  CHECK(source.shapes().input == std::vector<int64_t>{5});
  const TaskPlan plan = source.plan(0);
  const Episodes task = source.load({&plan, 1});
  CHECK(task.support.inputs.sizes() == c10::IntArrayRef({1, 8, 5}));
  CHECK(task.query.inputs.sizes() == c10::IntArrayRef({1, 12, 5}));
  CHECK(task.support.inputs[0].equal(pack->load(plan.support)));  // not divided by 255

  const auto algorithm = Registry<AlgorithmPlugin>::instance()
                             .find("nearest_pixel")
                             .make({{"name", "nearest_pixel"}}, nullptr);
  TaskEngine engine(1);
  const auto evaluation = evaluate(engine, *algorithm, ParamList(), source, {.count = 20}, {});
  REQUIRE(evaluation);
  CHECK(evaluation->accuracy.mean == 1);  // the clusters lie far apart
}

TEST_CASE("bytes are scaled to [0,1], whatever their shape; mean and std go by the first axis") {
  Import vectors;
  write_bytes(vectors.folder / "x.npy",
              npy_bytes(torch::tensor({{0, 51}, {255, 102}}, torch::kByte), "|u1"));
  write_bytes(vectors.folder / "x.labels.txt", "a\na\n");
  vectors({"x.npy"});
  DatasetView view;
  CHECK(torch::allclose(to_input(vectors.samples(), view),
                        torch::tensor({{0.F, 0.2F}, {1.F, 0.4F}})));
  view.mean = {0.5, 0.2}, view.std = {0.5, 0.1};
  check_view(open_pack(vectors.folder / "out.h5")->manifest(), view);
  CHECK(
      torch::allclose(to_input(vectors.samples(), view), torch::tensor({{-1.F, 0.F}, {1.F, 2.F}})));
}

TEST_CASE("what is for images only is refused for vectors") {
  Import vectors;
  const Manifest manifest = vectors.csv(clusters_csv(10, 2, 3)).manifest;
  const DatasetPtr pack = open_pack(vectors.folder / "out.h5");
  const auto refusal = [&](const DatasetView& view) {
    const auto error = caught([&] { EpisodeSampler(pack, view, {.way = 2, .query = 1}, {}); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    return std::string(error->what());
  };
  DatasetView turned, inverted;
  turned.rotations = "all";
  inverted.invert = true;
  CHECK(
      refusal(turned) ==
      "dataset.rotations is \"all\"; only square images can be turned, and samples of \"x\" are 3");
  CHECK(refusal(inverted) ==
        "dataset.invert is true; only 8-bit images can be inverted, and samples of \"x\" are 3 "
        "floating-point numbers");
  CHECK(caught([&] { export_png(*pack, vectors.folder / "png"); })->code() == Exit::bad_spec);
  const auto error = caught([&] { load_image(vectors.folder / "x.png", manifest); });
  CHECK(error->code() == Exit::bad_data);
}

}  // namespace kshot::vectors_test
