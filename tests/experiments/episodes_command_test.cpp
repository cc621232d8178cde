#include <sstream>

#include "datasets/hdf5_reader.h"
#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::episodes_command_test {

using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

TEST_CASE("tasks are printed as JSON lines with names, ids and labels") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const Outcome outcome = kshot(folder.path(), {"episodes", "tiny.json", "--split", "test"});
  REQUIRE(outcome.code == 0);
  const std::vector<Json> lines = lines_of(outcome.out);
  REQUIRE(lines.size() == 12);
  CHECK(lines[3]["index"] == 3);
  CHECK(lines[3]["class_names"].size() == 3);
  CHECK(lines[3]["support"].size() == 3);
  CHECK(lines[3]["query"].size() == 9);
  CHECK(lines[3]["query_labels"].size() == 9);
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"tiny.json"});
}

TEST_CASE("a task does not depend on how many are asked for") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const std::string five = kshot(folder.path(), {"episodes", "tiny.json", "--count", "5"}).out;
  const std::string nine = kshot(folder.path(), {"episodes", "tiny.json", "--count", "9"}).out;
  CHECK(nine.starts_with(five));
  CHECK(lines_of(nine).size() == 9);
}

TEST_CASE("the file of tasks holds what the record's hash speaks of") {
  const TemporaryFolder folder;
  const auto run = test::make_tiny_run(folder.path());
  const Outcome outcome = kshot(folder.path(), {"episodes", "tiny.json", "--out", "tasks.h5"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Hdf5Reader file(folder / "tasks.h5");
  const Tensor support = file.read("support_inputs"), query = file.read("query_inputs");
  CHECK(support.sizes() == torch::IntArrayRef{12, 3, 1, 16, 16});
  CHECK(query.sizes() == torch::IntArrayRef{12, 9, 1, 16, 16});
  CHECK(support.scalar_type() == torch::kFloat);
  CHECK(support.min().item<float>() >= 0);
  CHECK(support.max().item<float>() <= 1);
  CHECK(file.read("support_targets")[0].equal(torch::tensor({0, 1, 2}, torch::kLong)));
  CHECK(file.read("query_targets").sizes() == torch::IntArrayRef{12, 9});
  CHECK(file.read_text("plans") == kshot(folder.path(), {"episodes", "tiny.json"}).out);
  const Json recorded = Json::parse(read_file(run / "result.json"));
  CHECK(file.read_text("episodes_sha256") ==
        recorded["test"]["episodes_sha256"].get<std::string>());
  CHECK(Json::parse(file.read_text("info"))["split"] == "test");
}

TEST_CASE("tasks without queries can be written") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const Outcome outcome = kshot(folder.path(), {"episodes", "tiny.json", "--set",
                                                "episodes.test.query=0", "--out", "tasks.h5"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(Hdf5Reader(folder / "tasks.h5").read("query_targets").sizes() == torch::IntArrayRef{12, 0});
}

TEST_CASE("bad requests write nothing") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  CHECK(kshot(folder.path(), {"episodes", "tiny.json", "--split", "tset", "--out", "t.h5"}).code ==
        2);
  CHECK(kshot(folder.path(), {"episodes", "tiny.json", "--count", "0", "--out", "t.h5"}).code == 2);
  CHECK(
      kshot(folder.path(), {"episodes", "tiny.json", "--count", "9999999", "--out", "t.h5"}).code ==
      2);
  CHECK(kshot(folder.path(), {"episodes", "tiny.json", "--out", "nowhere/t.h5"}).code == 74);
  const Outcome full =
      test::kshot_on_full_disk(folder.path(), 8, {"episodes", "tiny.json", "--out", "t.h5"});
  INFO(full.err);
  CHECK(full.code == 74);
  CHECK(full.one_line_error());
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"tiny.json"});
}

}  // namespace kshot::episodes_command_test
