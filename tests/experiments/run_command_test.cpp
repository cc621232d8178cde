// The program as a user runs it, on a spec that trains within a second.
#include "framework/base/atomic_file.h"
#include "framework/run/run_record.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::run_command_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;
using Files = std::vector<std::string>;

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

TEST_CASE("a run leaves a whole record") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  CHECK(test::files_below(run) ==
        Files{"checkpoints/best.json", "checkpoints/best.safetensors", "checkpoints/last.json",
              "checkpoints/last.previous.json", "checkpoints/last.previous.safetensors",
              "checkpoints/last.safetensors", "data.json", "env.json", "episodes.jsonl",
              "metrics.jsonl", "result.json", "spec.json"});
  const Json result = read_json(run / "result.json");
  CHECK(result["schema"] == "kshot.result/1");
  CHECK(result["run"]["id"] == run.filename().string());
  CHECK(result["run"]["name"] == "tiny");
  CHECK(result["test"]["episodes"] == 12);
  CHECK(result["train"]["iterations"] == 6);
  CHECK(result["data"]["classes"] == Json{{"train", 10}, {"validation", 5}, {"test", 5}});
  CHECK(read_json(run / "spec.json")["train"]["intra_op_threads"] == 1);
}

TEST_CASE("every figure of a record can be derived again from its episode lines") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  const std::vector<EpisodeOutcome> lines = read_outcomes(run / "episodes.jsonl");
  std::vector<double> accuracies, losses;
  for (const EpisodeOutcome& line : lines) {
    int64_t right = 0;
    for (size_t i = 0; i < line.predictions.size(); ++i)
      right += line.predictions[i] == line.plan.query_labels[i];
    CHECK(line.accuracy ==
          static_cast<double>(right) / static_cast<double>(line.predictions.size()));
    accuracies.push_back(line.accuracy);
    losses.push_back(line.loss);
  }
  const Json recorded = read_json(run / "result.json")["test"];
  CHECK(recorded["accuracy"]["mean"] == summarize(accuracies).mean);
  CHECK(recorded["accuracy"]["ci95_episodes"] == *summarize(accuracies).ci95);
  CHECK(recorded["loss"]["mean"] == summarize(losses).mean);
}

TEST_CASE("the same spec run again finds its record; --again repeats it to the same figures") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  const Json first = read_json(run / "result.json");
  const Outcome found = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu"});
  CHECK(found.code == 0);
  CHECK(found.out.starts_with("already done"));
  const Outcome again =
      kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--again", "--threads", "1"});
  CHECK(again.code == 0);
  CHECK(read_json(run / "result.json")["test"] == first["test"]);
  CHECK(test::files_below(folder / "results").size() ==
        test::files_below(run).size());  // no .again, no .old
}

TEST_CASE("an algorithm that learns nothing is tested and recorded alike") {
  const TemporaryFolder folder;
  const fs::path run =
      test::make_tiny_run(folder.path(), {{"algorithm", {{"name", "nearest_pixel"}}}});
  const Json result = read_json(run / "result.json");
  CHECK(result["parameters"] == 0);
  CHECK_FALSE(result.contains("train"));
}

TEST_CASE("a bad spec writes nothing") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const struct {
    const char* edit;
    const char* said;
  } cases[] = {{"episodes.test.way=6", "has 5 classes; 6-way tasks need 6: lower way to 5 or less"},
               {"episodes.test.query=30", "has 8 images; 1-shot with 30 queries needs 31"},
               {"optimizer.lr=NaN", "optimizer.lr"},
               {"dataset.name=pack", "path"},
               {"backbone.channels=[1,2]", "backbone.channels"}};
  for (const auto& example : cases) {
    const Outcome outcome = kshot(folder.path(), {"run", "tiny.json", "--set", example.edit});
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.said) != std::string::npos);
  }
  CHECK(test::files_below(folder.path()) == Files{"tiny.json"});
}

TEST_CASE("a results folder that cannot be written is an I/O error") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  write_file_atomically(folder / "occupied", "a file, not a folder");
  for (const char* results : {"occupied", "/proc/results"}) {
    const Outcome outcome = kshot(folder.path(), {"run", "tiny.json", "--results", results});
    INFO(outcome.err);
    CHECK(outcome.code == 74);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(results) != std::string::npos);
  }
}

TEST_CASE("a full disk ends a run with an I/O error and no file of half its length") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  // 16 kB let spec.json through, but not a checkpoint.
  const Outcome outcome = test::kshot_on_full_disk(folder.path(), 16, {"run", "tiny.json"});
  INFO(outcome.err);
  CHECK(outcome.code == 74);
  CHECK(outcome.one_line_error());
  for (const std::string& file : test::files_below(folder / "results")) {
    INFO(file);
    CHECK(file.find("safetensors") == std::string::npos);
    if (file.ends_with(".json"))
      CHECK_FALSE(Json::parse(read_file(folder / "results" / file), nullptr, false).is_discarded());
    CHECK_FALSE(file.ends_with("result.json"));
  }
}

TEST_CASE("a signal stops a run with exit code 75, and --resume finishes it to the same figures") {
  const TemporaryFolder folder;
  const Json longer{{"train", {{"iterations", 150}, {"validate_every", 50}}}};
  const fs::path whole = test::make_tiny_run(folder.path(), longer);
  const Json expected = read_json(whole / "result.json")["test"];
  const Outcome stopped = test::shell(
      folder.path(),
      "\"$KSHOT\" run tiny.json --device cpu --results other & pid=$!\n"
      "until [ -s other/tiny/*/metrics.jsonl ]; do kill -0 $pid || break; sleep 0.02; done\n"
      "kill -TERM $pid; wait $pid");
  INFO(stopped.err);
  REQUIRE(stopped.code == 75);
  CHECK_FALSE(fs::exists(folder / "other" / "tiny" / whole.filename() / "result.json"));
  const Outcome refused =
      kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--results", "other"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("--resume") != std::string::npos);
  fs::copy(folder / "other", folder / "third", fs::copy_options::recursive);
  const Outcome by_spec = kshot(
      folder.path(), {"run", "tiny.json", "--device", "cpu", "--results", "other", "--resume"});
  const fs::path half = fs::path("third") / "tiny" / whole.filename();
  const Outcome by_folder =
      kshot(folder.path(), {"run", "--device", "cpu", "--resume", half.string()});
  for (const Outcome& resumed : {by_spec, by_folder}) {
    INFO(resumed.err);
    CHECK(resumed.code == 0);
  }
  for (const char* results : {"other", "third"}) {
    CHECK(read_json(folder / results / "tiny" / whole.filename() / "result.json")["test"] ==
          expected);
  }
}

TEST_CASE("--resume without an unfinished run is refused") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny");
  const Outcome outcome = kshot(folder.path(), {"run", "tiny.json", "--resume"});
  CHECK(outcome.code == 2);
  CHECK(test::files_below(folder.path()) == Files{"tiny.json"});
  const Outcome no_run = kshot(folder.path(), {"run", "--resume", "tiny.json"});
  CHECK(no_run.code == 2);
  CHECK(no_run.err.find("--resume tiny.json: not a run's folder") != std::string::npos);
}

}  // namespace kshot::run_command_test
