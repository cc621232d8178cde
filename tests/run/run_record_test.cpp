#include "framework/run/run_record.h"

#include <unistd.h>

#include <fstream>
#include <regex>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"

namespace kshot::run_record_test {

using test::caught;

RunIdentity identity() {
  RunIdentity result;
  result.spec = {{"name", "a"},
                 {"seed", 1},
                 {"dataset", {{"name", "pack"}, {"path", "/data/omniglot.h5"}}},
                 {"train", {{"iterations", 100}}},
                 {"paper", {{"accuracy", 0.988}}},
                 {"deviations", {"none"}},
                 {"log", {{"every", 10}}}};
  result.data_sha256 = {"d1"};
  return result;
}

std::string id_with(const std::function<void(RunIdentity&)>& change) {
  RunIdentity changed = identity();
  change(changed);
  return run_id(changed);
}

TEST_CASE("a run id is 12 hexadecimal digits, the same for the same run") {
  const std::string id = run_id(identity());
  CHECK(std::regex_match(id, std::regex("[0-9a-f]{12}")));
  CHECK(run_id(identity()) == id);
}

TEST_CASE("name, paper, deviations, log and paths do not change the run id") {
  const std::string id = run_id(identity());
  CHECK(id_with([](auto& run) { run.spec["name"] = "b"; }) == id);
  CHECK(id_with([](auto& run) { run.spec.erase("paper"); }) == id);
  CHECK(id_with([](auto& run) { run.spec["deviations"] = {"more"}; }) == id);
  CHECK(id_with([](auto& run) { run.spec["log"]["every"] = 1; }) == id);
  CHECK(id_with([](auto& run) { run.spec["dataset"]["path"] = "elsewhere.h5"; }) == id);
}

TEST_CASE("whatever decides the numbers changes the run id") {
  std::set<std::string> ids{run_id(identity())};
  ids.insert(id_with([](auto& run) { run.spec["seed"] = 2; }));
  ids.insert(id_with([](auto& run) { run.spec["train"]["iterations"] = 101; }));
  ids.insert(id_with([](auto& run) { run.spec["dataset"]["name"] = "other"; }));
  ids.insert(id_with([](auto& run) { run.data_sha256 = {"d2"}; }));
  ids.insert(id_with([](auto& run) { run.data_sha256 = {"d1", "d1"}; }));
  ids.insert(id_with([](auto& run) { run.weights_sha256 = {"d1"}; }));
  ids.insert(id_with([](auto& run) { run.compute.dtype = torch::kDouble; }));
  ids.insert(id_with([](auto& run) { run.compute.task_mode = "batched"; }));
  ids.insert(id_with([](auto& run) { run.compute.intra_op_threads = 2; }));
  CHECK(ids.size() == 10);
}

EpisodeOutcome outcome() {
  EpisodeOutcome result;
  result.plan.index = 18446744073709551615ull;
  result.plan.outputs = 2;
  result.plan.classes = {4, 2};
  result.plan.support = {40, 20};
  result.plan.support_labels = {0, 1};
  result.plan.query = {41, 21, 22};
  result.plan.query_labels = {0, 1, 1};
  result.predictions = {0, 1, 0};
  result.accuracy = 2.0 / 3;
  result.loss = 0.1 + 0.2;
  return result;
}

TEST_CASE("an episode's line comes back to the last bit") {
  const EpisodeOutcome before = outcome(), after = outcome_from_json(
                                               Json::parse(outcome_to_json(before).dump()), "LINE");
  CHECK(after.plan == before.plan);
  CHECK(after.predictions == before.predictions);
  CHECK(after.accuracy == before.accuracy);
  CHECK(after.loss == before.loss);
}

TEST_CASE("episodes come back from their file in order; a line that is none is named") {
  const test::TemporaryFolder folder;
  EpisodeOutcome second = outcome();
  second.plan.index = 1;
  const std::string text = outcomes_text({outcome(), second});
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  std::ofstream(folder / "episodes.jsonl") << text;
  const auto read = read_outcomes(folder / "episodes.jsonl");
  REQUIRE(read.size() == 2);
  CHECK(read[1].plan == second.plan);
  for (const char* line : {"", "{", "{}", "[]", "null", "{\"index\":\"x\"}"}) {
    CAPTURE(line);
    std::ofstream(folder / "episodes.jsonl") << text << line << "\n";
    const auto error = caught([&] { read_outcomes(folder / "episodes.jsonl"); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()).find("episodes.jsonl:3") != std::string::npos);
  }
  CHECK(caught([&] { read_outcomes(folder / "none"); })->code() == Exit::io);
}

TEST_CASE("a figure that does not exist is absent from its block") {
  Evaluation evaluation;
  evaluation.accuracy.mean = 0.5;
  CHECK(accuracy_block(evaluation) == Json{{"mean", 0.5}});
  evaluation.accuracy.std = 0.1;
  evaluation.accuracy.ci95 = 0.02;
  evaluation.ci95_classes = 0.03;
  CHECK(accuracy_block(evaluation) ==
        Json{{"mean", 0.5}, {"std", 0.1}, {"ci95_episodes", 0.02}, {"ci95_classes", 0.03}});
  evaluation.loss.mean = 1.5;
  CHECK(loss_block(evaluation) == Json{{"mean", 1.5}});
}

TEST_CASE("the run id can be made again from the spec and env.json") {
  RunIdentity run = identity();
  run.weights_sha256 = {"w1"};
  run.compute.intra_op_threads = 2;
  const Json env = environment(run, 3);
  CHECK(env["data_sha256"] == Json{"d1"});
  CHECK(env["weights_sha256"] == Json{"w1"});
  CHECK(recorded_run_id(run.spec, env) == run_id(run));
  CHECK(recorded_run_id(run.spec, environment(run, 1)) == run_id(run));  // threads decide nothing
  for (const char* key : {"data_sha256", "weights_sha256", "device", "dtype", "task_mode",
                          "intra_op_threads", "libtorch", "source_id"}) {
    CAPTURE(key);
    Json other = env;
    other[key] = "other";
    CHECK(recorded_run_id(run.spec, other) != run_id(run));
    other.erase(key);
    CHECK(test::message_of([&] { recorded_run_id(run.spec, other); }) ==
          std::string("env.json has no ") + key);
  }
}

TEST_CASE("the environment names the build and the machine's kind, but no host, user or path") {
  const Json env = environment(identity(), 2);
  CHECK(env["threads"] == 2);
  CHECK(env["device"] == "cpu");
  CHECK(env["source_id"].get<std::string>().size() == 64);
  CHECK(env["arithmetic"]["tf32"] == false);
  CHECK_FALSE(env.contains("gpu"));
  const std::string text = env.dump();
  CHECK(text.find("/root") == std::string::npos);
  CHECK(text.find("/home") == std::string::npos);
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  if (std::string(host).size() > 3) CHECK(text.find(host) == std::string::npos);
}

TEST_CASE("the time of day is in UTC, to the second") {
  CHECK(std::regex_match(utc_now(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")));
}

TEST_CASE("peak memory is in bytes and never falls") {
  const int64_t before = peak_memory_bytes();
  CHECK(before > 1 << 20);
  CHECK(peak_memory_bytes() >= before);
}

}  // namespace kshot::run_record_test
