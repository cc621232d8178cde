#include "tests/base/caught.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::manifest_test {

using namespace kshot::test;

TEST_CASE("a manifest survives JSON unchanged") {
  const Json json = manifest_to_json(toy_manifest());
  const Manifest again = manifest_from_json(json, "here");
  CHECK(manifest_to_json(again) == json);
  CHECK(again.classes[2].name == "b/\xc3\xa9");
  CHECK(again.splits.at("by_image").kind == SplitScheme::Kind::images);
  CHECK(again.samples() == 8);
}

TEST_CASE(
    "a manifest that is not consistent is refused, naming where it stands and what is wrong") {
  struct Fault {
    const char* pointer;
    Json value;
    const char* says;
  };
  const std::vector<Fault> faults = {
      {"/schema", "other/1", "schema"},
      {"/dtype", "int32", "int32"},
      {"/shape", Json::array(), "axes"},
      {"/shape/0", 0, "0"},
      {"/shape/1", -4, "-4"},
      {"/shape/1", 2.5, "2.5"},
      {"/shape", Json{1 << 30, 1 << 30, 1 << 30}, "too large"},
      {"/name", 7, "name"},
      {"/classes", Json::array(), "no class"},
      {"/classes/1/name", "a/one", "twice"},
      {"/classes/1/name", "", "no name"},
      {"/classes/1/first", 3, "a/two"},
      {"/classes/1/first", 5, "a/two"},
      {"/classes/1/count", 0, "a/two"},
      {"/classes/1/count", 18446744073709551615u, "a/two"},
      {"/classes/1", Json::array(), "name"},
      {"/splits/by_class/kind", "pixels", "pixels"},
      {"/splits/by_class/members/test/0", 3, "3"},
      {"/splits/by_class/members/test/0", 2, "twice"},
      {"/splits/by_class/members/test/0", -1, "-1"},
      {"/splits/by_class/members/dev", Json::array(), "dev"},
      {"/splits/by_image/members/test/0", 8, "8"},
      {"/default_split", "vinyals", "vinyals"},
  };
  for (const Fault& fault : faults) {
    Json json = manifest_to_json(toy_manifest());
    json[Json::json_pointer(fault.pointer)] = fault.value;
    const auto error = caught([&] { manifest_from_json(json, "toy.h5"); });
    CAPTURE(fault.pointer);
    CAPTURE(fault.value.dump());
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()).starts_with("toy.h5: "));
    CHECK(std::string(error->what()).find(fault.says) != std::string::npos);
  }
}

TEST_CASE("every key of a manifest is needed") {
  const Json whole = manifest_to_json(toy_manifest());
  for (const auto& [key, value] : whole.items()) {
    Json json = whole;
    json.erase(key);
    CAPTURE(key);
    CHECK(message_of([&] { manifest_from_json(json, "x"); }).find(key) != std::string::npos);
  }
  CHECK(caught([] { manifest_from_json(Json(3), "x"); }));
}

TEST_CASE("a tensor data set gives the rows asked for, in order, as a copy") {
  const Tensor samples = toy_samples();
  const TensorDataset dataset(toy_manifest(), samples);
  const std::vector<int64_t> rows = {7, 0, 0, 3};
  Tensor loaded = dataset.load(rows);
  CHECK(loaded.equal(samples.index_select(0, torch::tensor(rows))));
  loaded.zero_();
  CHECK(dataset.load(rows).equal(samples.index_select(0, torch::tensor(rows))));
  CHECK(dataset.load({}).sizes() == c10::IntArrayRef({0, 1, 4, 4}));
}

}  // namespace kshot::manifest_test
