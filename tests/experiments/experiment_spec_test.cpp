#include "experiments/experiment_spec.h"

#include "experiments/embedded_specs.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"

namespace kshot::experiment_spec_test {

using test::TemporaryFolder;

std::string write(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  write_file_atomically(folder / name, text);
  return (folder / name).string();
}

/// The message of reading such a spec; "" if all is well. Every refusal must be of bad_spec.
std::string refusal(const Json& json) {
  const auto error = test::caught([&] { read_spec(json, "cpu"); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_spec);
  return error->what();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an edit's value is JSON, or plain text where it is not") {
  CHECK(parse_edit("train.iterations=100").value == 100);
  CHECK(parse_edit("a=[1, 2]").value == Json{1, 2});
  CHECK(parse_edit("name=demo").value == "demo");
  CHECK(parse_edit("name=a=b").value == "a=b");
  CHECK(parse_edit("dataset.path=").value == "");
  for (const char* bad : {"train.iterations", "=3"}) {
    CHECK(contains(test::message_of([&] { parse_edit(bad); }), "expected path=value"));
  }
}

TEST_CASE("an unknown key is refused with its place and the nearest name") {
  CHECK(contains(refusal({{"optimiser", Json::object()}}), "did you mean \"optimizer\"?"));
  const std::string nested = refusal({{"episodes", {{"test", {{"shots", 5}}}}}});
  CHECK(contains(nested, "episodes.test.shots"));
  CHECK(contains(nested, "\"shot\""));
  CHECK(contains(refusal({{"algorithm", {{"name", "protonet"}, {"distanse", "cosine"}}}}),
                 "\"distance\""));
  CHECK(contains(refusal({{"backbone", {{"name", "conv5"}}}}), "\"conv4\""));
}

TEST_CASE("wrong types and values out of range name the key") {
  CHECK(contains(refusal({{"train", {{"iterations", -1}}}}), "train.iterations"));
  CHECK(contains(refusal({{"train", {{"iterations", 1.5}}}}), "train.iterations"));
  CHECK(contains(refusal({{"train", {{"iterations", "many"}}}}), "train.iterations"));
  CHECK(contains(refusal({{"episodes", {{"test", {{"way", 0}}}}}}), "episodes.test.way"));
  CHECK(contains(refusal({{"train", 3}}), "train"));
  CHECK(contains(refusal({{"algorithm", "protonet"}}), "algorithm"));
  CHECK(contains(refusal({{"name", "../up"}}), "name"));
  CHECK(refusal({{"paper", {{"comparable", "yes"}}}}) ==
        "paper.comparable is \"yes\", expected true or false");
}

TEST_CASE("NaN and infinity are refused however they come in") {
  const TemporaryFolder folder;
  for (const char* number : {"NaN", "nan", "Infinity", "-Infinity", "1e999"}) {
    INFO(number);
    const std::string file =
        write(folder, "nan.json", fmt::format("{{\n\"optimizer\": {{\"lr\": {}}}}}", number));
    const auto error = test::caught([&] { load_spec(file, {}); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    CHECK(contains(error->what(), "nan.json"));
    CHECK(
        contains(refusal({{"optimizer", {{"lr", parse_edit(fmt::format("x={}", number)).value}}}}),
                 "optimizer.lr"));
  }
  CHECK(contains(refusal({{"optimizer", {{"lr", std::nan("")}}}}), "optimizer.lr"));
}

TEST_CASE("a malformed file is refused with the line") {
  const TemporaryFolder folder;
  const std::string file = write(folder, "broken.json", "{\n  \"seed\": 1,\n  \"name\" \"x\"\n}");
  CHECK(
      contains(test::message_of([&] { load_spec(file, {}); }), "broken.json: not JSON at line 3"));
  const std::string twice =
      write(folder, "twice.json", "{\"algorithm\": {\"steps\": 1, \"steps\": 5}}");
  CHECK(contains(test::message_of([&] { load_spec(twice, {}); }),
                 "twice.json: it has the key \"steps\" twice in one object"));
  const std::string list = write(folder, "list.json", "[1]");
  CHECK(contains(test::message_of([&] { load_spec(list, {}); }), "JSON object"));
}

TEST_CASE("a spec may hold comments") {
  const TemporaryFolder folder;
  const std::string file = write(folder, "a.json", "{ // the seed\n \"seed\": 4 /* four */ }");
  CHECK(load_spec(file, {})["seed"] == 4);
}

TEST_CASE("extends merges blocks, from a file beside this one") {
  const TemporaryFolder folder;
  write(folder, "base.json",
        R"({"name": "base", "seed": 3, "train": {"iterations": 10, "meta_batch": 4}})");
  const std::string file =
      write(folder, "own.json", R"({"extends": "base.json", "train": {"iterations": 20}})");
  const Json json = load_spec(file, {});
  CHECK(json ==
        Json{{"name", "base"}, {"seed", 3}, {"train", {{"iterations", 20}, {"meta_batch", 4}}}});
}

TEST_CASE("a spec that only has another name than the one it extends keeps everything else") {
  const TemporaryFolder folder;
  write(folder, "base.json", R"({"name": "base", "seed": 3})");
  const std::string file = write(folder, "own.json", R"({"extends": "base.json", "name": "own"})");
  CHECK(load_spec(file, {}) == Json{{"name", "own"}, {"seed", 3}});
}

TEST_CASE("a plugin block of another name replaces the one it extends whole") {
  const TemporaryFolder folder;
  write(
      folder, "base.json",
      R"({"algorithm": {"name": "protonet", "distance": "cosine"}, "backbone": {"name": "conv4", "channels": 32}})");
  const std::string file = write(
      folder, "own.json",
      R"({"extends": "base.json", "algorithm": {"name": "nearest_pixel"}, "backbone": {"name": "conv4"}})");
  const Json json = load_spec(file, {});
  CHECK(json["algorithm"] == Json{{"name", "nearest_pixel"}});
  CHECK(json["backbone"] == Json{{"name", "conv4"}, {"channels", 32}});
}

TEST_CASE("an edit that names another plugin empties its block; naming the same one does not") {
  const TemporaryFolder folder;
  const std::string file =
      write(folder, "a.json", R"({"algorithm": {"name": "protonet", "distance": "cosine"}})");
  CHECK(load_spec(file, {parse_edit("algorithm.name=nearest_pixel")})["algorithm"] ==
        Json{{"name", "nearest_pixel"}});
  CHECK(load_spec(file, {parse_edit("algorithm.name=protonet")})["algorithm"]["distance"] ==
        "cosine");
}

TEST_CASE("edits are applied in order, and make blocks that are not there yet") {
  const TemporaryFolder folder;
  const std::string file = write(folder, "a.json", R"({"seed": 1})");
  const Json json = load_spec(
      file, {parse_edit("seed=2"), parse_edit("episodes.test.way=7"), parse_edit("seed=3")});
  CHECK(json == Json{{"seed", 3}, {"episodes", {{"test", {{"way", 7}}}}}});
  CHECK(contains(test::message_of([&] { load_spec(file, {parse_edit("seed.x=1")}); }), "seed"));
}

TEST_CASE("specs that extend each other are refused") {
  const TemporaryFolder folder;
  write(folder, "a.json", R"({"extends": "b.json"})");
  write(folder, "b.json", R"({"extends": "a.json"})");
  CHECK(contains(test::message_of([&] { load_spec((folder / "a.json").string(), {}); }), "circle"));
}

TEST_CASE("an unknown preset is refused") {
  const auto error = test::caught([] { load_spec("no-such-spec", {}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
}

TEST_CASE("every shipped spec loads, and is the same when its resolved form is read again") {
  for (const EmbeddedFile& file : embedded_specs()) {
    INFO(std::string(file.path));
    for (const char* device : {"cpu", "cuda"}) {
      const Json resolved = spec_to_json(read_spec(load_spec(std::string(file.path), {}), device));
      CHECK(spec_to_json(read_spec(resolved, device)) == resolved);
    }
    const ExperimentSpec spec = read_spec(load_spec(std::string(file.path), {}), "cpu");
    CHECK(spec.name + ".json" == std::filesystem::path(file.path).filename().string());
  }
}

TEST_CASE("a resolved spec holds every default") {
  const Json resolved = spec_to_json(read_spec(Json::object(), "cpu"));
  CHECK(resolved["backbone"]["channels"].is_array());
  CHECK(resolved["algorithm"]["batch_norm"] == "running");
  CHECK(resolved["episodes"]["test"]["seed"] == 0);
  CHECK(resolved["optimizer"]["schedule"]["name"] == "constant");
}

TEST_CASE("a block of options without a name is the default plugin's") {
  const Json resolved = spec_to_json(read_spec({{"algorithm", {{"distance", "cosine"}}}}, "cpu"));
  CHECK(resolved["algorithm"]["name"] == "protonet");
  CHECK(resolved["algorithm"]["distance"] == "cosine");
}

TEST_CASE("task mode and intra-op threads follow from spec and device kind alone") {
  const auto resolved = [](const Json& json, const char* device) {
    return read_spec(json, device).train;
  };
  CHECK(resolved({{"train", {{"meta_batch", 1}}}}, "cpu").intra_op_threads == 2);
  CHECK(resolved({{"train", {{"meta_batch", 4}}}}, "cpu").intra_op_threads == 1);
  CHECK(resolved({{"train", {{"meta_batch", 1}}}}, "cuda").intra_op_threads == 1);
  CHECK(
      resolved({{"train", {{"meta_batch", 1}, {"intra_op_threads", 3}}}}, "cpu").intra_op_threads ==
      3);
  CHECK(resolved(Json::object(), "cpu").task_mode == "threads");
  CHECK(resolved(Json::object(), "cuda").task_mode == "batched");
}

TEST_CASE("an algorithm that learns from episodes is not given minibatches") {
  CHECK(contains(refusal({{"algorithm", {{"name", "protonet"}}},
                          {"episodes", {{"train", {{"kind", "minibatch"}}}}}}),
                 "learns from episodes"));
}

}  // namespace kshot::experiment_spec_test
