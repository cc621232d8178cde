// kshot sweep as a user runs it, on specs that train within a second.
#include <sstream>
#include <thread>

#include "experiments/records/run_lock.h"
#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::sweep_command_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;
using Files = std::vector<std::string>;

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

/// Two channel counts by two seeds, each trained within a fraction of a second.
const Json kGrid{{"backbone.channels", {4, 8}}, {"seed", {1, 2}}};

std::string write_sweep(const fs::path& folder, const Json& block = kGrid, Json changes = {}) {
  if (changes.is_null()) changes = Json::object();
  changes["sweep"] = block;
  return test::write_tiny_spec(folder, "tiny", changes);
}

Outcome sweep(const fs::path& folder, const Files& more = {}) {
  Files words{"sweep", "tiny.json", "--device", "cpu"};
  words.insert(words.end(), more.begin(), more.end());
  return kshot(folder, words);
}

/// The folder of the only sweep below results/tiny.
fs::path sweep_folder(const fs::path& folder, const std::string& results = "results") {
  const fs::path sweeps = folder / results / "tiny" / "sweeps";
  REQUIRE(std::distance(fs::directory_iterator(sweeps), fs::directory_iterator()) == 1);
  return fs::directory_iterator(sweeps)->path();
}

std::vector<Json> plan_of(const fs::path& sweep) {
  std::vector<Json> trials;
  std::istringstream lines(read_file(sweep / "plan.jsonl"));
  for (std::string line; std::getline(lines, line);) trials.push_back(Json::parse(line));
  return trials;
}

fs::path run_of(const fs::path& folder, const Json& trial, const std::string& results = "results") {
  return folder / results / "tiny" / trial["run"].get<std::string>();
}

int64_t count_in(const std::string& text, const std::string& part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_CASE("--dry-run shows trials, counts and time, and writes nothing") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const Outcome outcome = sweep(folder.path(), {"--dry-run", "--quiet"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("seed=2 backbone.channels=8") != std::string::npos);
  CHECK(outcome.out.find("4 trials of 2 configurations; 4 to be trained") != std::string::npos);
  CHECK(outcome.out.find(" for training and 0:00 for the test of one configuration, 1 at a time") !=
        std::string::npos);
  CHECK(test::files_below(folder.path()) == Files{"tiny.json"});
  const Json json = sweep(folder.path(), {"--dry-run", "--quiet", "--json"}).json();
  REQUIRE(json.is_object());
  CHECK(json["trials"].size() == 4);
  CHECK(json["left"] == 4);
  CHECK(json["seconds"]["training"].get<double>() > 0);
  CHECK(json["seconds"]["test"].get<double>() > 0);
  const Outcome all = sweep(folder.path(), {"--dry-run", "--quiet", "--test", "all"});
  CHECK(all.out.find(" for the tests, ") != std::string::npos);
  const Outcome none = sweep(folder.path(), {"--dry-run", "--quiet", "--json", "--test", "none"});
  CHECK(none.json()["seconds"]["test"] == 0);
}

TEST_CASE("trials that would wait for each other's threads are noted") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), kGrid, {{"train", {{"intra_op_threads", 2}}}});
  const auto noted = [&](const char* jobs, const char* threads) {
    const Outcome outcome =
        sweep(folder.path(), {"--dry-run", "--json", "--jobs", jobs, "--threads", threads});
    REQUIRE(outcome.code == 0);
    return outcome.err.find("train.intra_op_threads is 2: set it to 1") != std::string::npos;
  };
  CHECK(noted("2", "2"));
  CHECK_FALSE(noted("2", "4"));
  CHECK_FALSE(noted("1", "2"));
}

TEST_CASE(
    "a sweep trains all, chooses by validation, tests the chosen seeds, and does nothing twice") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const Outcome outcome = sweep(folder.path(), {"--json", "--jobs", "2", "--threads", "4"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json table = outcome.json()["tables"][0];
  const fs::path made = sweep_folder(folder.path());
  CHECK(fs::exists(made / "sweep.json"));
  const std::vector<Json> trials = plan_of(made);
  REQUIRE(trials.size() == 4);
  CHECK(trials[3]["edits"] == Json{{"backbone.channels", 8}, {"seed", 2}});
  REQUIRE(table["configurations"].size() == 2);
  double best = 2;
  for (const Json& configuration : table["configurations"]) {
    double sum = 0;
    for (const Json& trial : configuration["trials"]) {
      const fs::path run = run_of(folder.path(), trials[trial["index"].get<size_t>()]);
      CHECK(read_json(run / "env.json")["threads"] == 2);  // four, divided among two at a time
      sum += read_json(run / "validation.json")["accuracy"].get<double>();
      CHECK(fs::exists(run / "result.json") == configuration["chosen"].get<bool>());
    }
    const auto mean = configuration["validation"]["mean"].get<double>();
    CHECK(mean == doctest::Approx(sum / 2));
    CHECK(mean <= best);
    best = mean;
  }
  CHECK(table["configurations"][0]["chosen"] == true);
  CHECK(table["configurations"][0]["test"]["seeds"] == 2);
  const Outcome again = sweep(folder.path());
  CHECK(again.code == 0);
  CHECK(again.out.find("Chosen by validation (*): backbone.channels=") != std::string::npos);
  for (const Json& trial : trials) {
    INFO(trial.dump());
    const auto log =
        read_file(made / "logs" / (std::to_string(trial["index"].get<int>()) + ".log"));
    CHECK(count_in(log, "not tested") == 1);
  }
  CHECK(sweep(folder.path(), {"--test", "all"}).code == 0);
  for (const Json& trial : trials) CHECK(fs::exists(run_of(folder.path(), trial) / "result.json"));
}

TEST_CASE("a trial is the run that kshot run makes of the same settings, and is shared with it") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  REQUIRE(kshot(folder.path(), {"run", "tiny.json", "--device", "cpu", "--set", "sweep=null",
                                "--set", "seed=2", "--set", "backbone.channels=4"})
              .code == 0);
  REQUIRE(sweep(folder.path(), {"--test", "none"}).code == 0);
  const fs::path made = sweep_folder(folder.path());
  const Json trial = plan_of(made)[1];
  CHECK(trial["edits"] == Json{{"backbone.channels", 4}, {"seed", 2}});
  CHECK(fs::exists(run_of(folder.path(), trial) / "result.json"));
  CHECK_FALSE(fs::exists(made / "logs" / "1.log"));  // nothing was left to do
  CHECK_FALSE(fs::exists(run_of(folder.path(), plan_of(made)[0]) / "result.json"));
}

TEST_CASE("another spec is another sweep, and a frozen plan that was changed is refused") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const auto id_of = [&](const Files& more) {
    Files words{"--dry-run", "--json", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return sweep(folder.path(), words).json()["id"].get<std::string>();
  };
  const std::string id = id_of({});
  CHECK(id_of({}) == id);
  CHECK(id_of({"--set", "log.every=2"}) != id);
  CHECK(id_of({"--set", "train.iterations=7"}) != id);
  REQUIRE(sweep(folder.path(), {"--only", "0"}).code == 0);
  const fs::path made = sweep_folder(folder.path());
  CHECK(made.filename() == id);
  // The frozen spec is the same sweep.
  CHECK(kshot(folder.path(), {"sweep", (made / "sweep.json").string(), "--device", "cpu",
                              "--dry-run", "--json", "--quiet"})
            .json()["id"] == id);
  write_file_atomically(made / "plan.jsonl", read_file(made / "plan.jsonl") + "\n");
  const Outcome changed = sweep(folder.path());
  CHECK(changed.code == 65);
  CHECK(changed.err.find("plan.jsonl") != std::string::npos);
}

TEST_CASE("what is wrong with any trial shows before anything is written") {
  const TemporaryFolder folder;
  const struct {
    Json block;
    const char* said;
  } cases[] = {{{{"optimizer.lr", {0.1, -1}}}, "the trial with optimizer.lr=-1: optimizer.lr"},
               {{{"sed", {1}}}, "did you mean \"seed\"?"},
               {{{"episodes.test.way", {3, 6}}}, "has 5 classes; 6-way tasks need 6"},
               {{{"algorithm.name", {"nearest_pixel"}}, {"episodes.validation.way", {6}}},
                "has 5 classes; 6-way tasks need 6"}};
  for (const auto& example : cases) {
    write_sweep(folder.path(), example.block);
    const Outcome outcome = sweep(folder.path());
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.said) != std::string::npos);
  }
  write_sweep(folder.path());
  for (const Files& words :
       {Files{"--only", "4"}, Files{"--only", "-1"}, Files{"--jobs", "0"},
        Files{"--test", "chosne"}, Files{"--retry", "-1"}, Files{"--fail-fast", "--keep-going"}}) {
    const Outcome outcome = sweep(folder.path(), words);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
  }
  CHECK(test::files_below(folder.path()) == Files{"tiny.json"});
}

TEST_CASE("a results folder that cannot be written is an I/O error") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  write_file_atomically(folder / "occupied", "a file, not a folder");
  const Outcome outcome = sweep(folder.path(), {"--results", "occupied"});
  INFO(outcome.err);
  CHECK(outcome.code == 74);
  CHECK(outcome.one_line_error());
  CHECK(outcome.err.find("occupied") != std::string::npos);
}

TEST_CASE("settings that come out as one run are one trial") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"backbone.channels", {8, {8}, {8, 8, 8, 8}}}});
  const Json json = sweep(folder.path(), {"--dry-run", "--json", "--quiet"}).json();
  CHECK(json["trials"].size() + json["repeated"].get<size_t>() == 3);
  CHECK(json["repeated"].get<int>() >= 1);
}

TEST_CASE("algorithms that learn nothing are chosen by validation, too") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"algorithm.name", {"protonet", "nearest_pixel"}}});
  const Outcome outcome = sweep(folder.path(), {"--json"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  for (const Json& row : outcome.json()["tables"][0]["configurations"]) {
    CHECK(row["validation"]["seeds"] == 1);
    CHECK(row.contains("test") == row["chosen"].get<bool>());
  }
}

// ---- stopped, killed, side by side

/// Trials that take long enough to be caught at work.
const Json kLonger{{"train", {{"iterations", 150}, {"validate_every", 50}}}};

TEST_CASE(
    "a sweep that was killed with its children goes on from their checkpoints to the same scores") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"seed", {1, 2}}}, kLonger);
  REQUIRE(sweep(folder.path(), {"--results", "whole", "--test", "none"}).code == 0);
  for (const std::string signal : {"KILL", "TERM"}) {
    INFO(signal);
    // Until the first trial has a checkpoint; a controller that is killed takes its child along.
    const Outcome stopped = test::shell(
        folder.path(), "\"$KSHOT\" sweep tiny.json --device cpu --test none --quiet --results " +
                           signal +
                           " & pid=$!\n"
                           "until ls " +
                           signal +
                           "/tiny/*/checkpoints/last.json >/dev/null 2>&1; do\n"
                           "  kill -0 $pid || break; sleep 0.01; done\n"
                           "kill -" +
                           signal + " $pid; wait $pid");
    INFO(stopped.err);
    CHECK(stopped.code == (signal == "KILL" ? 137 : 75));
    const fs::path made = sweep_folder(folder.path(), signal);
    const std::vector<Json> trials = plan_of(made);
    CHECK_FALSE(fs::exists(run_of(folder.path(), trials[0], signal) / "validation.json"));
    CHECK_FALSE(fs::exists(run_of(folder.path(), trials[1], signal)));
    const Outcome resumed = sweep(folder.path(), {"--results", signal, "--test", "none"});
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    for (const Json& trial : trials) {
      Json resumed_score = read_json(run_of(folder.path(), trial, signal) / "validation.json");
      Json whole_score = read_json(run_of(folder.path(), trial, "whole") / "validation.json");
      resumed_score.erase("seconds");
      whole_score.erase("seconds");
      CHECK(resumed_score == whole_score);
    }
    CHECK(count_in(read_file(made / "logs" / "0.log"), "stopped by a signal") == 1);
  }
}

TEST_CASE("controllers that share a folder train every trial once") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"seed", {1, 2, 3, 4, 5, 6}}});
  const Outcome both =
      test::shell(folder.path(),
                  "\"$KSHOT\" sweep tiny.json --device cpu --jobs 2 > first & one=$!\n"
                  "\"$KSHOT\" sweep tiny.json --device cpu --jobs 2 > second & two=$!\n"
                  "wait $one && wait $two");
  INFO(both.err);
  CHECK(both.code == 0);
  const fs::path made = sweep_folder(folder.path());
  for (int i = 0; i < 6; ++i) {
    const std::string log = read_file(made / "logs" / (std::to_string(i) + ".log"));
    INFO(log);
    CHECK(count_in(log, "not tested") == 1);
    CHECK(count_in(log, "5-way") + count_in(log, "3-way") == 1);  // tested once, too
  }
  CHECK(read_file(folder / "first") == read_file(folder / "second"));
}

// ---- failures

/// A learning rate with which an unnormed network overflows at once, beside one that is fine.
const Json kDiverging{{"optimizer.lr", {0.01, 1000}}};
const Json kUnnormed{{"backbone", {{"norm", false}}},
                     {"optimizer", {{"name", "sgd"}}},
                     {"train", {{"iterations", 30}, {"validate_every", 10}}}};

TEST_CASE("a trial that diverges is recorded, never tried again, and does not hold up the others") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), kDiverging, kUnnormed);
  for (int time = 0; time < 2; ++time) {
    const Outcome outcome = sweep(folder.path(), {"--json", "--retry", "2"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const Json rows = outcome.json()["tables"][0]["configurations"];
    CHECK(rows[0]["chosen"] == true);
    CHECK(rows[1]["problems"] == Json{"1 diverged"});
    CHECK(rows[1]["trials"][0]["failure"]["exit"] == 76);
  }
  const std::string log = read_file(sweep_folder(folder.path()) / "logs" / "1.log");
  CHECK(count_in(log, "kshot: ") == 1);
  CHECK(sweep(folder.path(), {"--only", "1"}).code == 76);
}

TEST_CASE("--fail-fast ends with the first failure; a sweep of which all diverges says so") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"optimizer.lr", {1000, 0.01}}}, kUnnormed);
  const Outcome outcome = sweep(folder.path(), {"--fail-fast"});
  INFO(outcome.err);
  CHECK(outcome.code == 76);
  CHECK_FALSE(fs::exists(run_of(folder.path(), plan_of(sweep_folder(folder.path()))[1])));
  write_sweep(folder.path(), {{"optimizer.lr", {1000}}}, kUnnormed);
  CHECK(sweep(folder.path(), {"--results", "all"}).code == 76);
}

TEST_CASE("a trial that fails is tried again as often as --retry says, and by the next command") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const std::string id =
      sweep(folder.path(), {"--dry-run", "--json", "--quiet"}).json()["trials"][2]["run"];
  const fs::path occupied = folder / "results" / "tiny" / id;
  fs::create_directories(occupied.parent_path());
  write_file_atomically(occupied, "a file where the run's folder should be");
  const Outcome failed = sweep(folder.path(), {"--retry", "2"});
  INFO(failed.err);
  CHECK(failed.code == 74);
  CHECK(failed.out.find("1 failed") != std::string::npos);
  const fs::path made = sweep_folder(folder.path());
  CHECK(count_in(read_file(made / "logs" / "2.log"), "kshot: ") == 3);
  const std::vector<Json> trials = plan_of(made);
  CHECK(fs::exists(run_of(folder.path(), trials[3]) / "validation.json"));  // went on
  for (const Json& trial : trials)  // nothing is chosen, so nothing tested, before all are trained
    CHECK_FALSE(fs::exists(run_of(folder.path(), trial) / "result.json"));
  fs::remove(occupied);
  const Outcome mended = sweep(folder.path());
  INFO(mended.err);
  CHECK(mended.code == 0);
  CHECK(mended.out.find("failed") == std::string::npos);
}

TEST_CASE("a trial whose run `kshot run` is at work in waits for it and does not fail") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"seed", {1, 2}}});
  const std::string id =
      sweep(folder.path(), {"--dry-run", "--json", "--quiet"}).json()["trials"][0]["run"];
  const fs::path run = folder / "results" / "tiny" / id;
  fs::create_directories(run);
  auto lock = std::make_unique<RunLock>(run);
  CHECK(RunLock::held(run));
  std::thread at_work([&] {
    const fs::path other = folder / "results" / "tiny";
    const auto done = [&](const fs::path& trial) { return fs::exists(trial / "validation.json"); };
    const auto others_done = [&] {
      return std::any_of(fs::directory_iterator(other), fs::directory_iterator(),
                         [&](const auto& entry) { return done(entry.path()); });
    };
    while (!others_done()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(fs::exists(run / "spec.json"));
    lock.reset();
  });
  const Outcome swept = sweep(folder.path());
  at_work.join();
  INFO(swept.err);
  CHECK(swept.code == 0);
  CHECK(fs::exists(run / "validation.json"));
  CHECK_FALSE(RunLock::held(run));
}

// ---- one trial, and Slurm

TEST_CASE("--only trains one trial and nothing else") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const Outcome outcome = sweep(folder.path(), {"--only", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const std::vector<Json> trials = plan_of(sweep_folder(folder.path()));
  for (size_t i = 0; i < trials.size(); ++i)
    CHECK(fs::exists(run_of(folder.path(), trials[i])) == (i == 2));
  CHECK(fs::exists(run_of(folder.path(), trials[2]) / "validation.json"));
  CHECK_FALSE(fs::exists(run_of(folder.path(), trials[2]) / "result.json"));
}

TEST_CASE("the Slurm file holds an array of all trials, and as a script runs one of them") {
  const TemporaryFolder folder;
  write_sweep(folder.path());
  const Outcome outcome =
      sweep(folder.path(), {"--slurm", "job.sh", "--threads", "4", "--jobs", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const std::string text = read_file(folder / "job.sh");
  for (const char* line :
       {"#SBATCH --array=0-3%2\n", "#SBATCH --cpus-per-task=2\n", "#SBATCH --signal=B:USR1@120\n",
        "#SBATCH --requeue\n", "#SBATCH --open-mode=append\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK_FALSE(fs::exists(folder / "results" / "tiny" /
                         plan_of(sweep_folder(folder.path()))[0]["run"].get<std::string>()));
  const Outcome run = test::shell(
      folder.path(), "SLURM_CPUS_PER_TASK=1 SLURM_ARRAY_TASK_ID=3 SLURM_JOB_ID=7 bash job.sh");
  INFO(run.err);
  CHECK(run.code == 0);
  CHECK(fs::exists(run_of(folder.path(), plan_of(sweep_folder(folder.path()))[3]) /
                   "validation.json"));
}

TEST_CASE(
    "in the Slurm file, time that is nearly up stops the trial in order and queues it again") {
  const TemporaryFolder folder;
  write_sweep(folder.path(), {{"seed", {1}}}, {{"train", {{"iterations", 100000}}}});
  REQUIRE(sweep(folder.path(), {"--slurm", "job.sh"}).code == 0);
  const Outcome outcome = test::shell(
      folder.path(),
      "mkdir bin && printf '#!/bin/sh\\necho \"$@\" > requeued\\n' > bin/scontrol\n"
      "chmod +x bin/scontrol\n"
      "PATH=$PWD/bin:$PATH SLURM_CPUS_PER_TASK=1 SLURM_ARRAY_TASK_ID=0 SLURM_JOB_ID=7 \\\n"
      "  bash job.sh & pid=$!\n"
      "until ls results/tiny/*/checkpoints/last.json >/dev/null 2>&1; do\n"
      "  kill -0 $pid || break; sleep 0.01; done\n"
      "kill -USR1 $pid; wait $pid");
  INFO(outcome.err);
  CHECK(outcome.code == 75);
  CHECK(read_file(folder / "requeued") == "requeue 7\n");
}

}  // namespace kshot::sweep_command_test
