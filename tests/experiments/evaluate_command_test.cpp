#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::evaluate_command_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

TEST_CASE("evaluate gives the figures of the record again, digit for digit") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  const Outcome outcome = kshot(folder.path(), {"evaluate", run.string(), "--threads", "1"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("the same figures as the record, digit for digit") != std::string::npos);
  CHECK(kshot(folder.path(), {"evaluate", "tiny"}).code == 0);  // by its name under results/
  const Outcome json = kshot(folder.path(), {"evaluate", run.string(), "--json"});
  REQUIRE(json.json().is_object());
  CHECK(json.json()["same_as_record"] == true);
  CHECK(json.json()["result"]["test"] == read_json(run / "result.json")["test"]);
}

TEST_CASE("an ensemble is tested again as the ensemble that it is") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(
      folder.path(), {{"train", {{"iterations", 6}, {"validate_every", 2}, {"ensemble", 2}}}});
  const Json train = read_json(run / "result.json")["train"];
  REQUIRE(train["ensemble_iterations"].size() == 2);
  const Outcome again = kshot(folder.path(), {"evaluate", run.string()});
  INFO(again.out);
  CHECK(again.code == 0);
  // With one of the two alone, other predictions come out: an ensemble it is.
  const std::string first = "best-" + train["ensemble_iterations"][0].dump();
  for (const char* end : {".safetensors", ".json"}) {
    const fs::path second =
        run / "checkpoints" / ("best-" + train["ensemble_iterations"][1].dump() + end);
    fs::copy_file(run / "checkpoints" / (first + end), second,
                  fs::copy_options::overwrite_existing);
  }
  CHECK(kshot(folder.path(), {"evaluate", run.string()}).code == 65);
  // A record that names no iterations, or one whose checkpoint is gone, is refused in one line.
  Json record = read_json(run / "result.json");
  for (const auto& [named, code] : {std::pair{Json{"first", "second"}, 65},
                                    std::pair{Json("all"), 65}, std::pair{Json{1, 3}, 74}}) {
    record["train"]["ensemble_iterations"] = named;
    write_file_atomically(run / "result.json", record.dump());
    const Outcome refused = kshot(folder.path(), {"evaluate", run.string()});
    INFO(refused.err);
    CHECK(refused.code == code);
    CHECK(refused.one_line_error());
  }
}

TEST_CASE("evaluate with another test writes a record of its own") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  const std::string before = read_file(run / "result.json");
  const Outcome outcome =
      kshot(folder.path(), {"evaluate", run.string(), "--json", "--set", "episodes.test.count=20",
                            "--set", "episodes.test.shot=2"});
  REQUIRE(outcome.code == 0);
  const fs::path written = outcome.json()["folder"].get<std::string>();
  CHECK(written.parent_path() == run / "evaluations");
  CHECK(written.filename() != run.filename());
  CHECK(test::files_below(written) == std::vector<std::string>{"data.json", "env.json",
                                                               "episodes.jsonl", "result.json",
                                                               "spec.json"});
  const Json result = read_json(written / "result.json");
  CHECK(result["test"]["episodes"] == 20);
  CHECK(result["test"]["shot"] == 2);
  CHECK(result["run"]["id"] == written.filename().string());
  CHECK(result["evaluation"]["of"] == run.filename().string());
  CHECK(read_file(run / "result.json") == before);
}

TEST_CASE("evaluate changes the test and nothing else") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  for (const char* edit :
       {"algorithm.batch_norm=transductive", "seed=2", "dataset.seed=1", "episodes.train.way=2"}) {
    const Outcome outcome = kshot(folder.path(), {"evaluate", run.string(), "--set", edit});
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
  }
  CHECK_FALSE(fs::exists(run / "evaluations"));
}

TEST_CASE("evaluate says which figures of a record do not come out again") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  Json result = read_json(run / "result.json");
  result["test"]["accuracy"]["mean"] = 0.999;
  write_file_atomically(run / "result.json", result.dump());
  const Outcome outcome = kshot(folder.path(), {"evaluate", run.string()});
  CHECK(outcome.code == 65);
  CHECK(outcome.out.find("test/accuracy/mean: 0.999 in the record") != std::string::npos);
  CHECK(outcome.out.find("digit for digit") == std::string::npos);
}

TEST_CASE("evaluate refuses weights with one flipped byte") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  std::string bytes = read_file(run / "checkpoints/best.safetensors");
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  write_file_atomically(run / "checkpoints/best.safetensors", bytes);
  const Outcome outcome = kshot(folder.path(), {"evaluate", run.string()});
  CHECK(outcome.code == 65);
  CHECK(outcome.one_line_error());
  CHECK(outcome.err.find("best.safetensors") != std::string::npos);
  CHECK_FALSE(fs::exists(run / "evaluations"));
}

TEST_CASE("evaluate wants a finished run with weights") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  CHECK(kshot(folder.path(), {"evaluate", "nowhere"}).code == 2);
  fs::rename(run / "checkpoints", run / "elsewhere");
  CHECK(kshot(folder.path(), {"evaluate", run.string()}).code == 2);
  fs::rename(run / "elsewhere", run / "checkpoints");
  fs::remove(run / "result.json");
  const Outcome unfinished = kshot(folder.path(), {"evaluate", run.string()});
  CHECK(unfinished.code == 2);
  CHECK(unfinished.err.find("--resume") != std::string::npos);
}

TEST_CASE("a full disk leaves no half-written evaluation") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  const Outcome outcome = test::kshot_on_full_disk(folder.path(), 2, {"evaluate", run.string()});
  INFO(outcome.err);
  CHECK(outcome.code == 74);
  CHECK(outcome.one_line_error());
  for (const std::string& file : test::files_below(run / "evaluations")) {
    INFO(file);
    CHECK_FALSE(file.ends_with("result.json"));
    CHECK_FALSE(Json::parse(read_file(run / "evaluations" / file), nullptr, false).is_discarded());
  }
}

}  // namespace kshot::evaluate_command_test
