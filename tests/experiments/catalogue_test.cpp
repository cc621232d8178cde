// kshot list, describe and bench: what they print, as tables and as JSON.
#include "experiments/embedded_specs.h"
#include "experiments/plugin_facts.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::catalogue_test {

using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

TEST_CASE("every plugin is listed and described, in words and as JSON") {
  const TemporaryFolder folder;
  for (const std::string& kind : plugin_kinds()) {
    const Outcome list = kshot(folder.path(), {"list", kind + "s", "--json"});
    REQUIRE(list.json().is_array());
    CHECK_FALSE(list.json().empty());
    for (const Json& entry : list.json()) {
      const std::string name = entry.at("name");
      INFO(kind, " ", name);
      const PluginDescription description = describe_plugin(kind, name);
      CHECK_FALSE(description.facts.at("summary").get<std::string>().empty());
      for (const OptionRow& row : description.options) {
        INFO(row.path);
        CHECK_FALSE(row.option.help.empty());
      }
    }
  }
  CHECK(kshot(folder.path(), {"list", "algorithms"}).out.find("protonet") != std::string::npos);
}

TEST_CASE("describe shows default, choices and paper symbol of an option") {
  const TemporaryFolder folder;
  const Outcome text = kshot(folder.path(), {"describe", "algorithm", "protonet"});
  CHECK(text.code == 0);
  CHECK(text.out.find("euclidean | cosine") != std::string::npos);
  const Json json = kshot(folder.path(), {"describe", "algorithm", "protonet", "--json"}).json();
  REQUIRE(json.is_object());
  CHECK(json["name"] == "protonet");
  CHECK(json["learns_from"] == "episodes");
  CHECK(json["transductive"] == false);
  CHECK(json["options"][0]["default"] == "euclidean");
  CHECK(json["options"][0]["symbol"] == "d");
}

TEST_CASE("describe spec lists every key with its path") {
  const TemporaryFolder folder;
  const Json json = kshot(folder.path(), {"describe", "spec", "--json"}).json();
  REQUIRE(json.is_object());
  std::set<std::string> names;
  for (const Json& option : json["options"]) names.insert(option["name"]);
  for (const char* key : {"seed", "episodes.test.count", "optimizer.lr", "optimizer.schedule.name",
                          "train.patience"}) {
    INFO(key);
    CHECK(names.contains(key));
  }
}

TEST_CASE("every shipped spec is listed") {
  const TemporaryFolder folder;
  const Outcome outcome = kshot(folder.path(), {"list", "specs", "--json"});
  REQUIRE(outcome.json().is_array());
  CHECK(outcome.json().size() == embedded_specs().size());
  const std::string table = kshot(folder.path(), {"list", "specs"}).out;
  CHECK(table.find("5-shot regression") != std::string::npos);
  CHECK(table.find("1-way") == std::string::npos);
}

TEST_CASE("describe without a name says which there are") {
  const TemporaryFolder folder;
  const Outcome outcome = kshot(folder.path(), {"describe", "backbone"});
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find("conv4") != std::string::npos);
}

TEST_CASE("bench measures training and testing and writes nothing") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const Json json =
      kshot(folder.path(), {"bench", "tiny.json", "--steps", "3", "--json", "--device", "cpu"})
          .json();
  REQUIRE(json.is_object());
  CHECK(json["training"]["tasks_per_second"].get<double>() > 0);
  CHECK(json["training"]["milliseconds_per_iteration"]["learn"].get<double>() > 0);
  CHECK(json["testing"]["tasks_per_second"].get<double>() > 0);
  CHECK(json["training"]["page_faults_per_iteration"].get<double>() >= 0);
  CHECK(json["peak_memory_bytes"].get<int64_t>() > 0);
  REQUIRE(json["kernels"].is_array());
  CHECK(json["kernels"][0]["layer"] == "block1");
  CHECK(json["kernels"][0]["paths"] == Json{"convolution direct, the rest fused"});
  CHECK(json["setting"]["kernels"] == "fast");
  CHECK(kshot(folder.path(),
              {"bench", "tiny.json", "--steps", "2", "--set", "algorithm.name=nearest_pixel"})
            .code == 0);
  CHECK(kshot(folder.path(), {"bench", "tiny.json", "--steps", "0"}).code == 2);
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"tiny.json"});
}

}  // namespace kshot::catalogue_test
