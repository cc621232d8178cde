#include "framework/model/weight_registry.h"

#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"

namespace kshot::weight_registry_test {

using test::caught;
using test::message_of;
using test::TemporaryFolder;

WeightEntry entry_called(const std::string& id) {
  WeightEntry entry;
  entry.id = id;
  entry.backbone = {{"name", "conv4"}};
  entry.data = {.name = "toys", .sha256 = "", .classes = {"ball", "car"}};
  return entry;
}

std::string refusal(const Json& json) {
  const auto error = caught([&] { read_weight_entry(json.dump(), "ENTRY"); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_data);
  return error->what();
}

TEST_CASE("what is added is found again, with the hash of its file") {
  const TemporaryFolder folder;
  WeightRegistry registry(folder / "weights");
  const WeightEntry added = registry.add(entry_called("toys-conv4"), "the bytes");
  CHECK(added.bytes == 9);
  const WeightRegistry again(folder / "weights");
  const WeightEntry* found = again.find("toys-conv4");
  REQUIRE(found != nullptr);
  CHECK(found->sha256 == added.sha256);
  CHECK(found->data.classes == std::vector<std::string>{"ball", "car"});
  CHECK(read_file(again.file_of(*found)) == "the bytes");
  CHECK(again.problems().empty());
  CHECK(again.find("toys") == nullptr);
}

TEST_CASE("an id is registered once, and is a plain name") {
  const TemporaryFolder folder;
  WeightRegistry(folder.path()).add(entry_called("a"), "x");
  WeightRegistry registry(folder.path());
  CHECK(message_of([&] { registry.add(entry_called("a"), "y"); }).find("registered already") !=
        std::string::npos);
  for (const char* id : {"", "../up", ".hidden", "a b"})
    CHECK(caught([&] { registry.add(entry_called(id), "y"); })->code() == Exit::bad_spec);
}

TEST_CASE("entries that cannot be used are refused, and say why") {
  const Json good{{"id", "a"},
                  {"backbone", {{"name", "conv4"}}},
                  {"file", "a.safetensors"},
                  {"sha256", std::string(64, 'a')}};
  CHECK(refusal(good).empty());
  const auto with = [&](const Json& change) {
    Json json = good;
    json.merge_patch(change);
    return refusal(json);
  };
  CHECK(with({{"sha256", "abc"}}).find("64 hexadecimal digits") != std::string::npos);
  CHECK(with({{"file", "../a"}}).find("beside it") != std::string::npos);
  CHECK(with({{"sha256", nullptr}}).find("neither a sha256 nor a recipe") != std::string::npos);
  CHECK(with({{"backbone", {{"name", nullptr}}}}).find("no \"name\"") != std::string::npos);
  CHECK(with({{"input", {{"mean", {1, 2}}}}}).find("input.mean has 2 numbers, input.std 0") !=
        std::string::npos);
  CHECK(with({{"licens", "x"}}).find("did you mean \"licence\"?") != std::string::npos);
  CHECK(caught([] { read_weight_entry("{", "ENTRY"); })->code() == Exit::bad_data);
}

TEST_CASE("a folder's strange files are problems, not crashes") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a.json", "[");
  write_file_atomically(folder / "b.json", weight_entry_text([] {
                          WeightEntry entry = entry_called("c");
                          entry.recipe = "somewhere";
                          return entry;
                        }()));
  const WeightRegistry registry(folder.path());
  REQUIRE(registry.problems().size() == 2);
  CHECK(registry.problems()[0].find("a.json") != std::string::npos);
  CHECK(registry.problems()[1].find("its id is \"c\"") != std::string::npos);
}

TEST_CASE("shipped entries are recipes: none claims a hash of a file that nobody read") {
  const TemporaryFolder folder;
  const WeightRegistry registry(folder.path());
  CHECK_FALSE(registry.entries().empty());
  for (const WeightEntry& entry : registry.entries()) {
    CAPTURE(entry.id);
    CHECK(entry.is_recipe());
    CHECK_FALSE(entry.source.empty());
    CHECK(entry.feature_width > 0);
  }
}

}  // namespace kshot::weight_registry_test
