// Weights from one run to another, as a user hands them on.
#include "framework/base/atomic_file.h"
#include "framework/model/safetensors.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::weights_command_test {

namespace fs = std::filesystem;
using test::Outcome;
using test::read_json;
using test::TemporaryFolder;
using Words = std::vector<std::string>;

/// A run, and a registry of its own.
struct House {
  TemporaryFolder folder;
  fs::path run;

  explicit House(const Json& changes = Json::object())
      : run(test::make_tiny_run(folder.path(), changes)) {}

  Outcome kshot(const Words& words) const {
    std::string line = "KSHOT_WEIGHTS=registry \"$KSHOT\"";
    for (const std::string& word : words) line += " '" + word + "'";
    return test::shell(folder.path(), line);
  }
  /// Trains the tiny spec on other glyphs, from these weights.
  Outcome start_from(const std::string& weights, const Json& changes = Json::object(),
                     const Words& more = {}) const {
    Json all{{"backbone", {{"name", nullptr}, {"channels", nullptr}, {"weights", weights}}}};
    all.merge_patch(changes);
    Words words{"run", test::write_tiny_spec(folder.path(), "moved", all), "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return kshot(words);
  }
  fs::path moved() const { return fs::directory_iterator(folder / "results/moved")->path(); }
};

Tensor tensor_in(const fs::path& file, const std::string& name) {
  for (const NamedTensor& tensor : from_safetensors(read_file(file), file.string()).tensors) {
    if (tensor.name == name) return tensor.value;
  }
  return {};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a run's backbone is registered by one command and starts another run") {
  const House house;
  const Outcome added = house.kshot({"weights", "add", "glyph-conv", "--run", house.run.string()});
  INFO(added.err);
  REQUIRE(added.code == 0);
  const Json info = house.kshot({"weights", "info", "glyph-conv", "--json"}).json();
  CHECK(info["backbone"]["channels"] == Json{8});
  CHECK(info["data"]["classes"].size() == 10);
  CHECK(info["feature_width"] == 8);
  CHECK(info["provenance"]["run"]["id"] == house.run.filename().string());
  CHECK(has(house.kshot({"weights", "list"}).out, "glyph-conv"));
  CHECK(house.kshot({"weights", "verify"}).out == "glyph-conv: consistent\n");

  const Outcome moved = house.start_from(
      "glyph-conv", {{"backbone", {{"trainable", {"block4.*"}}}}, {"train", {{"iterations", 2}}}});
  INFO(moved.err);
  REQUIRE(moved.code == 0);
  const fs::path before = house.run / "checkpoints/best.safetensors",
                 after = house.moved() / "checkpoints/last.safetensors";
  for (const char* frozen : {"block1.conv.weight", "block3.norm.running_mean"}) {
    const std::string name = std::string("weights/backbone.") + frozen;
    CHECK_MESSAGE(torch::equal(tensor_in(before, name), tensor_in(after, name)), name);
  }
  const std::string tuned = "weights/backbone.block4.conv.weight";
  CHECK_FALSE(torch::equal(tensor_in(before, tuned), tensor_in(after, tuned)));
  const Json env = read_json(house.moved() / "env.json");
  CHECK(env["weights_sha256"] == Json{info["sha256"]});
  CHECK(read_json(house.moved() / "spec.json")["backbone"]["channels"] == Json{8});
}

TEST_CASE(
    "a run is named by its folder; which bytes they are decides the run id, not where they lie") {
  const House house;
  REQUIRE(house.start_from(house.run.string()).code == 0);
  const fs::path first = house.moved();
  fs::rename(house.folder / "results/tiny", house.folder / "elsewhere");
  const fs::path other = house.folder / "elsewhere" / house.run.filename();
  const Outcome again = house.start_from(other.string());
  INFO(again.err);
  CHECK(has(again.out, "already done"));
}

TEST_CASE("weights that know a class of the test are refused, or leave their mark") {
  // The third alphabet, which is tested here, was trained on there.
  const Json three_alphabets{{"dataset", {{"train_alphabets", 3}}}};
  const House house(three_alphabets);
  const Json same_classes{{"dataset", {{"train_alphabets", 1}}}};
  const Outcome refused = house.start_from(house.run.string(), same_classes);
  CHECK(refused.code == 2);
  CHECK(refused.one_line_error());
  CHECK_MESSAGE(has(refused.err, "of the test's classes"), refused.err);
  CHECK_FALSE(fs::exists(house.folder / "results/moved"));
  const Outcome allowed = house.start_from(house.run.string(), same_classes, {"--allow-leak"});
  INFO(allowed.err);
  REQUIRE(allowed.code == 0);
  CHECK(read_json(house.moved() / "result.json")["data"]["leak"].size() > 0);
  const Outcome table = house.kshot({"leaderboard", "moved"});
  CHECK_MESSAGE(has(table.out, "leaked classes"), table.out);
}

TEST_CASE("a file that is not the registered one is refused") {
  const House house;
  REQUIRE(house.kshot({"weights", "add", "mine", "--run", house.run.string()}).code == 0);
  const fs::path file = house.folder / "registry/mine.safetensors";
  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file_atomically(file, bytes);
  const Outcome refused = house.start_from("mine");
  CHECK(refused.code == 65);
  CHECK_MESSAGE(has(refused.err, "\"mine\" was registered with"), refused.err);
  const Outcome verified = house.kshot({"weights", "verify", "mine"});
  CHECK(verified.code == 65);
  CHECK(has(verified.out, "mine: its sha256 is"));
}

TEST_CASE("what is wrong with a reference is said before anything is written") {
  const House house;
  const auto refused = [&](const Json& backbone, const std::string& part) {
    Json block{{"name", nullptr}, {"channels", nullptr}};
    block.update(backbone);
    const Words words{"run",
                      test::write_tiny_spec(house.folder.path(), "moved", {{"backbone", block}})};
    const Outcome outcome = house.kshot(words);
    CHECK(outcome.code == 2);
    CHECK_MESSAGE(has(outcome.err, part), outcome.err);
    CHECK_FALSE(fs::exists(house.folder / "results/moved"));
  };
  refused({{"weights", "resnet18-imagenet1k-v"}}, "did you mean \"resnet18-imagenet1k-v1\"?");
  refused({{"weights", "resnet18-imagenet1k-v1"}}, "is a recipe without a file");
  refused({{"weights", house.run.string()}, {"trainable", {"blok*"}}}, "matches no parameter");
  refused({{"name", "conv4"}, {"trainable", {"block1.*"}}}, "there are no backbone.weights");
  fs::remove(house.run / "result.json");
  refused({{"weights", house.run.string()}}, "is not finished");
}

TEST_CASE("weights of another architecture are refused by the names of their tensors") {
  const House house;
  const Outcome refused =
      house.start_from(house.run.string(), {{"backbone", {{"name", "conv4"}, {"channels", 4}}}});
  CHECK(refused.code == 65);
  CHECK_MESSAGE(has(refused.err, "\"block1.conv.weight\" has shape"), refused.err);
}

}  // namespace kshot::weights_command_test
