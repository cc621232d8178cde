// Runs of the program that were killed, stopped, doubled or lost their data.
#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::resumed_run_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

const Json kLonger{{"train", {{"iterations", 300}, {"validate_every", 10}}}};

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

/// metrics.jsonl without what the clock says.
std::vector<Json> metrics(const fs::path& run) {
  std::istringstream text(read_file(run / "metrics.jsonl"));
  std::vector<Json> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back(Json::parse(line));
    lines.back().erase("time");
  }
  return lines;
}

void check_same_run(const fs::path& run, const fs::path& whole) {
  CHECK(test::files_below(run) == test::files_below(whole));
  for (const char* weights : {"checkpoints/best.safetensors", "checkpoints/last.safetensors"})
    CHECK(read_file(run / weights) == read_file(whole / weights));
  CHECK(read_file(run / "episodes.jsonl") == read_file(whole / "episodes.jsonl"));
  CHECK(read_json(run / "result.json")["test"] == read_json(whole / "result.json")["test"]);
  CHECK(metrics(run) == metrics(whole));
}

/// Starts the tiny run below `results` and sends it a signal once it has so many lines of metrics.
Outcome signalled(const TemporaryFolder& folder, const std::string& results,
                  const std::string& signal, int lines, const std::string& options = "") {
  return test::shell(folder.path(), "\"$KSHOT\" run tiny.json --device cpu --results " + results +
                                        " " + options + " & pid=$!\n" + "until [ $(cat " + results +
                                        "/tiny/*/metrics.jsonl 2>/dev/null | wc -l) -ge " +
                                        std::to_string(lines) +
                                        " ]; do kill -0 $pid || break; sleep 0.01; done\n" +
                                        "kill -" + signal + " $pid; wait $pid");
}

TEST_CASE("a run killed three times goes on, with other threads each time, to the same bits") {
  const TemporaryFolder folder;
  const fs::path whole = test::make_tiny_run(folder.path(), kLonger);
  constexpr int kKilled = 128 + 9;
  CHECK(signalled(folder, "other", "KILL", 20).code == kKilled);
  CHECK(signalled(folder, "other", "KILL", 60, "--resume --threads 1").code == kKilled);
  CHECK(signalled(folder, "other", "KILL", 110, "--resume --threads 3").code == kKilled);
  const Outcome last = kshot(
      folder.path(), {"run", "tiny.json", "--device", "cpu", "--results", "other", "--resume"});
  INFO(last.err);
  REQUIRE(last.code == 0);
  check_same_run(folder / "other" / "tiny" / whole.filename(), whole);
}

TEST_CASE("SIGINT, SIGTERM and SIGUSR1 stop a run with exit code 75; it goes on to the same bits") {
  const TemporaryFolder folder;
  const fs::path whole = test::make_tiny_run(folder.path(), kLonger);
  for (const std::string signal : {"TERM", "USR1"}) {
    CAPTURE(signal);
    const Outcome stopped = signalled(folder, signal, signal, 30);
    CHECK(stopped.code == 75);
    CHECK(stopped.err.find("--resume") != std::string::npos);
    CHECK(kshot(folder.path(),
                {"run", "tiny.json", "--device", "cpu", "--results", signal, "--resume"})
              .code == 0);
    check_same_run(folder / signal / "tiny" / whole.filename(), whole);
  }
}

TEST_CASE("a second process in the same run is refused and harms nothing") {
  const TemporaryFolder folder;
  const fs::path whole = test::make_tiny_run(folder.path(), kLonger);
  const Outcome both = test::shell(
      folder.path(),
      "\"$KSHOT\" run tiny.json --device cpu --results other & pid=$!\n"
      "until [ -s other/tiny/*/metrics.jsonl ]; do kill -0 $pid || break; sleep 0.01; done\n"
      "\"$KSHOT\" run tiny.json --device cpu --results other --resume; echo code $?\n"
      "wait $pid");
  CHECK(both.code == 0);
  CHECK(both.out.find("code 74") != std::string::npos);
  CHECK(both.err.find("another kshot is at work in this run: process ") != std::string::npos);
  check_same_run(folder / "other" / "tiny" / whole.filename(), whole);
}

TEST_CASE("--resume with another spec names the keys that differ, and what it found") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny", kLonger);
  CHECK(signalled(folder, "results", "KILL", 20).code == 137);
  const fs::path run = fs::directory_iterator(folder / "results" / "tiny")->path();
  const fs::path named = fs::path("results") / "tiny" / run.filename();
  const struct {
    std::vector<std::string> words;
    const char* said;
  } cases[] = {
      {{"--resume", "--set", "optimizer.lr=0.5"}, "optimizer.lr is 0.001 there, 0.5 here"},
      {{"--set", "optimizer.lr=0.5", "--resume", named.string()},
       "optimizer.lr is 0.001 there, 0.5 here"},
      {{"--resume", "--set", "seed=3", "--set", "train.meta_batch=4"},
       "seed is 1 there, 3 here; train.meta_batch is 2 there, 4 here"},
  };
  for (const auto& example : cases) {
    std::vector<std::string> words = {"run", "tiny.json", "--device", "cpu"};
    words.insert(words.end(), example.words.begin(), example.words.end());
    const Outcome outcome = kshot(folder.path(), words);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.said) != std::string::npos);
    CHECK(outcome.err.find(named.string()) != std::string::npos);
  }
  // The same spec by other sources is another run, too.
  Json env = read_json(run / "env.json");
  env["source_id"] = "0123456789abcdef";
  write_file_atomically(run / "env.json", env.dump());
  fs::rename(run, run.parent_path() / "0123456789ab");
  const Outcome other = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--resume"});
  INFO(other.err);
  CHECK(other.code == 2);
  CHECK(other.err.find("the hash of kshot's sources is 0123456789ab there") != std::string::npos);
  CHECK(fs::directory_iterator(folder / "results" / "tiny")->path().filename() == "0123456789ab");
}

TEST_CASE("a damaged last checkpoint: the run goes on from the one before, with a warning") {
  const TemporaryFolder folder;
  const fs::path whole = test::make_tiny_run(folder.path(), kLonger);
  CHECK(signalled(folder, "other", "KILL", 60).code == 137);
  const fs::path run = folder / "other" / "tiny" / whole.filename();
  fs::resize_file(run / "checkpoints" / "last.safetensors", 1000);
  const Outcome outcome = kshot(
      folder.path(), {"run", "tiny.json", "--device", "cpu", "--results", "other", "--resume"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.err.find("warning: ") != std::string::npos);
  CHECK(outcome.err.find("last.safetensors: damaged") != std::string::npos);
  check_same_run(run, whole);
}

/// A tiny spec on a pack of its own, "own.h5".
void write_pack_spec(const TemporaryFolder& folder, const Json& changes) {
  REQUIRE(kshot(folder.path(), {"data", "export", "synthetic_glyphs", "pictures", "--classes", "6",
                                "--per-class", "5"})
              .code == 0);
  REQUIRE(kshot(folder.path(),
                {"data", "import", "folder", "pictures", "--out", "own.h5", "--image-size", "16"})
              .code == 0);
  Json spec =
      Json::parse(read_file(folder / test::write_tiny_spec(folder.path(), "tiny", changes)));
  spec["dataset"] = {{"name", "pack"}, {"path", "own.h5"}};
  write_file_atomically(folder / "tiny.json", spec.dump());
}

TEST_CASE("a pack that is written to under a run ends it before anything is saved") {
  const TemporaryFolder folder;
  write_pack_spec(folder, {{"train", {{"iterations", 100000}, {"validate_every", 10}}}});
  const std::string wait =
      "until [ -s results/tiny/*/checkpoints/last.json ]; do kill -0 $pid || break; sleep 0.01; "
      "done\n";
  const Outcome written = test::shell(
      folder.path(), "\"$KSHOT\" run tiny.json --device cpu --quiet & pid=$!\n" + wait +
                         "printf x | dd of=own.h5 conv=notrunc bs=1 seek=5000 status=none\n" +
                         "wait $pid");
  INFO(written.err);
  CHECK(written.code == 65);
  CHECK(written.one_line_error());
  CHECK(written.err.find("own.h5: was written to") != std::string::npos);
  const Outcome resumed = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--resume"});
  CHECK(resumed.code == 65);
  CHECK(resumed.err.find("own.h5: damaged") != std::string::npos);
}

TEST_CASE("a pack that is cut short under a run is an error, not a crash") {
  const TemporaryFolder folder;
  write_pack_spec(folder, {{"train", {{"iterations", 100000}, {"validate_every", 10000}}}});
  const Outcome cut = test::shell(
      folder.path(),
      "\"$KSHOT\" run tiny.json --device cpu --quiet & pid=$!\n"
      "until [ -s results/tiny/*/metrics.jsonl ]; do kill -0 $pid || break; sleep 0.01; done\n"
      "truncate -s 4096 own.h5; wait $pid");
  INFO(cut.err);
  CHECK(cut.code == 65);
  CHECK(cut.one_line_error());
}

TEST_CASE("another pack under the same name is another run") {
  const TemporaryFolder folder;
  write_pack_spec(folder, {{"train", {{"iterations", 100000}, {"validate_every", 10}}}});
  CHECK(signalled(folder, "results", "KILL", 20).code == 137);
  REQUIRE(kshot(folder.path(), {"data", "import", "folder", "pictures", "--out", "own.h5",
                                "--image-size", "16", "--resize", "nearest"})
              .code == 0);
  const Outcome outcome = kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--resume"});
  INFO(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find("the data's sha256 is") != std::string::npos);
}

}  // namespace kshot::resumed_run_test
