#include <fmt/format.h>

#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::data_command_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

/// pictures/{train,validation,test}/alphabet/character/NN.png, made by the program itself.
void export_pictures(const TemporaryFolder& folder) {
  const Outcome outcome = kshot(folder.path(), {"data", "export", "synthetic_glyphs", "pictures",
                                                "--classes", "6", "--per-class", "5"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
}

Outcome import_pictures(const TemporaryFolder& folder, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"data", "import", "folder", "pictures", "--out", "own.h5"};
  words.insert(words.end(), more.begin(), more.end());
  return kshot(folder.path(), words);
}

TEST_CASE("own pictures: folder, pack, run, evaluate, predict") {
  const TemporaryFolder folder;
  export_pictures(folder);
  CHECK(test::files_below(folder / "pictures").size() == 3 * 6 * 5);
  const Outcome imported = import_pictures(folder, {"--image-size", "16", "--json"});
  INFO(imported.err);
  REQUIRE(imported.code == 0);
  REQUIRE(imported.json().is_object());
  CHECK(imported.json()["manifest"]["shape"] == Json{1, 16, 16});
  CHECK(imported.json()["manifest"]["classes"].size() == 18);
  const Json changes{{"dataset", {{"name", "pack"}, {"path", "own.h5"}, {"invert", true}}}};
  Json spec = Json::parse(read_file(folder / test::write_tiny_spec(folder.path(), "tiny")));
  spec["dataset"] = changes["dataset"];
  write_file_atomically(folder / "tiny.json", spec.dump());
  const Outcome run = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(kshot(folder.path(), {"evaluate", "tiny"}).code == 0);
  const fs::path alphabet = *fs::directory_iterator(folder / "pictures/test");
  const fs::path picture = fs::directory_iterator(*fs::directory_iterator(alphabet))->path();
  const Outcome predicted = kshot(folder.path(), {"predict", "tiny", "--support", alphabet.string(),
                                                  "--query", picture.string(), "--json"});
  INFO(predicted.err);
  REQUIRE(predicted.code == 0);
  CHECK(predicted.json()["support_images"] == 6 * 5 - 1);  // the picture asked about is no example

  // The pack moves: the run's spec names the old place.
  fs::rename(folder / "own.h5", folder / "moved.h5");
  const Outcome lost = kshot(folder.path(), {"evaluate", "tiny"});
  CHECK(lost.code == 74);
  CHECK(lost.one_line_error());
  CHECK(lost.err.find("--set dataset.path=") != std::string::npos);
  const Outcome found =
      kshot(folder.path(), {"evaluate", "tiny", "--set", "dataset.path=moved.h5"});
  CHECK(found.code == 0);
  CHECK(found.out.find("digit for digit") != std::string::npos);
}

TEST_CASE("another pack in the place of a run's own is refused") {
  const TemporaryFolder folder;
  export_pictures(folder);
  REQUIRE(import_pictures(folder, {"--image-size", "16"}).code == 0);
  Json spec = Json::parse(read_file(folder / test::write_tiny_spec(folder.path(), "tiny")));
  spec["dataset"] = {{"name", "pack"}, {"path", "own.h5"}};
  spec["algorithm"] = {{"name", "nearest_pixel"}};
  write_file_atomically(folder / "tiny.json", spec.dump());
  REQUIRE(kshot(folder.path(), {"run", "tiny.json", "--device", "cpu"}).code == 0);
  REQUIRE(import_pictures(folder, {"--image-size", "16", "--resize", "nearest"}).code == 0);
  const Outcome outcome = kshot(folder.path(), {"evaluate", "tiny"});
  CHECK(outcome.code == 65);
  CHECK(outcome.err.find("sha256") != std::string::npos);
}

TEST_CASE("info and verify tell what a pack holds") {
  const TemporaryFolder folder;
  export_pictures(folder);
  REQUIRE(import_pictures(folder).code == 0);
  const Outcome info = kshot(folder.path(), {"data", "info", "own.h5"});
  CHECK(info.code == 0);
  CHECK(info.out.find("classes  18") != std::string::npos);
  CHECK(info.out.find("folders (default)") != std::string::npos);
  const Json json = kshot(folder.path(), {"data", "info", "own.h5", "--json"}).json();
  REQUIRE(json.is_object());
  CHECK(json["samples"] == 90);
  const Outcome verified = kshot(folder.path(), {"data", "verify", "own.h5", "--json"});
  CHECK(verified.json()["intact"] == true);
}

TEST_CASE("a pack with one flipped byte is refused by every command") {
  const TemporaryFolder folder;
  export_pictures(folder);
  REQUIRE(import_pictures(folder).code == 0);
  std::string bytes = read_file(folder / "own.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_file_atomically(folder / "own.h5", bytes);
  test::write_tiny_spec(folder.path(), "tiny");
  const std::vector<std::vector<std::string>> commands{
      {"data", "verify", "own.h5"},
      {"data", "info", "own.h5"},
      {"data", "export", "own.h5", "out"},
      {"run", "tiny.json", "--set", "dataset={\"name\": \"pack\", \"path\": \"own.h5\"}"}};
  for (const auto& words : commands) {
    const Outcome outcome = kshot(folder.path(), words);
    INFO(outcome.err);
    CHECK(outcome.code == 65);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find("own.h5") != std::string::npos);
  }
  CHECK_FALSE(fs::exists(folder / "results"));
  CHECK_FALSE(fs::exists(folder / "out"));
}

TEST_CASE("vectors: table, pack, run, evaluate") {
  const TemporaryFolder folder;
  std::string table = "species,x,y\n";
  for (int i = 0; i < 8; ++i) {
    for (int c = 0; c < 30; ++c) table += fmt::format("s{},{},{}.{}\n", c, 10 * c, c, i);
  }
  write_file_atomically(folder / "points.csv", table);
  const Outcome imported =
      kshot(folder.path(), {"data", "import", "vectors", "points.csv", "--label-column", "species",
                            "--out", "points.h5", "--json"});
  INFO(imported.err);
  REQUIRE(imported.code == 0);
  CHECK(imported.json()["manifest"]["shape"] == Json::array({2}));
  CHECK(imported.json()["manifest"]["dtype"] == "float32");
  Json spec = Json::parse(read_file(folder / test::write_tiny_spec(folder.path(), "tiny")));
  spec["dataset"] = {{"name", "pack"}, {"path", "points.h5"}};
  spec["algorithm"] = {{"name", "nearest_pixel"}};
  write_file_atomically(folder / "tiny.json", spec.dump());
  const Outcome run = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.out.find("100.00 %") != std::string::npos);
  CHECK(kshot(folder.path(), {"evaluate", "tiny"}).code == 0);
  for (const char* option : {"dataset.invert=true", "dataset.rotations=all"}) {
    const Outcome refused = kshot(folder.path(), {"run", "tiny.json", "--set", option});
    CHECK(refused.code == 2);
    CHECK(refused.one_line_error());
  }
  const Outcome network =
      kshot(folder.path(), {"run", "tiny.json", "--set", "algorithm={\"name\": \"protonet\"}"});
  INFO(network.err);
  CHECK(network.code == 2);
  CHECK(network.one_line_error());
}

TEST_CASE("what cannot be imported leaves no pack behind") {
  const TemporaryFolder folder;
  export_pictures(folder);
  write_file_atomically(folder / "file", "");
  fs::create_directories(folder / "empty");
  const struct {
    std::vector<std::string> words;
    int code;
  } cases[] = {{{"import", "foldr", "pictures", "--out", "x.h5"}, 2},
               {{"import", "folder", "pictures"}, 2},
               {{"import", "folder", "pictures", "--out", "x.h5", "--resize", "bilinar"}, 2},
               {{"import", "folder", "pictures", "--out", "x.h5", "--image-size", "0"}, 2},
               {{"import", "folder", "pictures", "--out", "x.h5", "--per-class", "3"}, 2},
               {{"import", "folder", "pictures", "--out", "x.h5", "--allow-incomplete"}, 2},
               {{"import", "vectors", "pictures", "--out", "x.h5"}, 2},
               {{"import", "mini_imagenet", "pictures", "--out", "x.h5"}, 65},
               {{"import", "folder", "nowhere", "--out", "x.h5"}, 74},
               {{"import", "folder", "empty", "--out", "x.h5"}, 65},
               {{"import", "omniglot", "file", "file", "--out", "x.h5"}, 65},
               {{"import", "folder", "pictures", "--out", "file/x.h5"}, 74},
               {{"info", "file"}, 65},
               {{"info", "nowhere"}, 74},
               {{"verify"}, 2},
               {{"infos", "file"}, 2},
               {{}, 2}};
  for (const auto& example : cases) {
    std::vector<std::string> words{"data"};
    words.insert(words.end(), example.words.begin(), example.words.end());
    const Outcome outcome = kshot(folder.path(), words);
    INFO(fmt::format("{} -> {}", fmt::join(words, " "), outcome.err));
    CHECK(outcome.code == example.code);
    CHECK(outcome.one_line_error());
  }
  const Outcome full = test::kshot_on_full_disk(
      folder.path(), 20, {"data", "import", "folder", "pictures", "--out", "x.h5"});
  INFO(full.err);
  CHECK(full.code == 74);
  CHECK(full.one_line_error());
  CHECK(folder.names() == std::set<std::string>{"empty", "file", "pictures"});
}

}  // namespace kshot::data_command_test
