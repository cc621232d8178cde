// Regressions as a user meets them: from the spec to the leaderboard.
#include <functional>
#include <sstream>

#include "datasets/hdf5_reader.h"
#include "experiments/records/recorded_run.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::regression_run_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

/// MAML on sinusoids, trained within a second.
Json sine_spec(const Json& changes = Json::object()) {
  Json spec{
      {"name", "sine"},
      {"dataset", {{"name", "sinusoid"}}},
      {"episodes",
       {{"train", {{"way", 1}, {"shot", 10}, {"query", 10}}},
        {"validation", {{"way", 1}, {"shot", 5}, {"query", 5}, {"count", 5}}},
        {"test", {{"way", 1}, {"shot", 5}, {"query", 4}, {"count", 12}}}}},
      {"backbone", {{"name", "mlp"}, {"hidden", {8, 8}}}},
      {"algorithm", {{"name", "maml"}, {"inner_steps", 1}, {"test_inner_steps", 2}}},
      {"train",
       {{"iterations", 6}, {"meta_batch", 2}, {"validate_every", 3}, {"task_mode", "batched"}}},
      {"log", {{"every", 3}}}};
  spec.merge_patch(changes);
  return spec;
}

fs::path run_sine(const TemporaryFolder& folder, const Json& changes = Json::object()) {
  const Json spec = sine_spec(changes);
  const std::string name = spec["name"];
  write_file_atomically(folder / (name + ".json"), spec.dump());
  const Outcome outcome = kshot(folder.path(), {"run", name + ".json", "--device", "cpu"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return fs::directory_iterator(folder / "results" / name)->path();
}

TEST_CASE("the record of a regression has an error by step in the place of accuracy") {
  const TemporaryFolder folder;
  const fs::path run = run_sine(folder);
  const Json test = read_json(run / "result.json")["test"];
  CHECK_FALSE(test.contains("accuracy"));
  REQUIRE(test["error"]["by_step"].size() == 3);
  for (size_t k = 0; k < 3; ++k) CHECK(test["error"]["by_step"][k]["step"] == k);
  CHECK(test["error"]["mse"]["mean"] == test["error"]["by_step"][2]["mean"]);
  CHECK(test["error"]["mse"] == test["loss"]);
  CHECK(test["way"] == 1);
  const Json spec = read_json(run / "spec.json");
  CHECK(spec["train"]["select_by"] == "loss");
  std::istringstream metrics(read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);)
    CHECK(line.find("accuracy") == std::string::npos);
}

TEST_CASE("every figure of a regression can be derived again from its episode lines") {
  const TemporaryFolder folder;
  const fs::path run = run_sine(folder);
  const RecordedRun read = read_recorded_run(run);
  CHECK(read.tasks.kind == TaskKind::regression);
  CHECK(title_of(read.tasks) == "sinusoid test: 5-shot regression, 4 queries, 12 episodes");
  const Json test = read_json(run / "result.json")["test"];
  CHECK(test["error"]["mse"]["mean"] == read.score.mean);
  for (const EpisodeOutcome& line : read_outcomes(run / "episodes.jsonl")) {
    REQUIRE(line.regression.has_value());
    CHECK(mean_squared_error(*line.regression) == line.loss);
    CHECK(line.regression->mse_by_step.back() == line.loss);
    CHECK(line.plan.values.size() == 2 + 5 + 4);
  }
}

TEST_CASE("an altered record of a regression is refused, with what differs") {
  const TemporaryFolder folder;
  const fs::path run = run_sine(folder);
  const std::string result = read_file(run / "result.json"),
                    lines = read_file(run / "episodes.jsonl");
  const auto refusal = [&](const std::function<void(Json & result, Json & line)>& alter) {
    Json changed = Json::parse(result);
    const size_t end = lines.find('\n');
    Json first = Json::parse(lines.substr(0, end));
    alter(changed, first);
    write_file_atomically(run / "result.json", changed.dump());
    write_file_atomically(run / "episodes.jsonl", first.dump() + lines.substr(end));
    return test::message_of([&] { read_recorded_run(run); });
  };
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    return text.find(part) != std::string::npos;
  };
  CHECK(has(refusal([](Json& r, Json&) { r["test"]["error"]["by_step"][1]["mean"] = 1e-3; }),
            "states error.by_step.1.mean = 0.001"));
  CHECK(has(refusal([](Json& r, Json&) { r["test"]["error"]["by_step"].erase(2); }),
            "has no error.by_step.2"));
  CHECK(has(refusal([](Json& r, Json&) { r["test"]["error"]["mse"]["mean"] = 1e-3; }),
            "states error.mse.mean = 0.001"));
  CHECK(has(refusal([](Json&, Json& line) { line["predictions"][0] = 1e3; }),
            "episode 0 states mse"));
  CHECK(has(refusal([](Json&, Json& line) { line["mse_by_step"][2] = 1e3; }),
            "episode 0 states mse of the last step"));
  CHECK(has(refusal([](Json&, Json& line) { line["values"][0] = 1.0; }),
            "other tasks than episodes_sha256 says"));
  CHECK(
      has(refusal([](Json&, Json& line) { line["targets"].erase(0); }), "not a task of the shape"));
  CHECK(has(refusal([](Json& r, Json&) {
              r["test"]["accuracy"] = r["test"]["error"]["mse"];
              r["test"].erase("error");
            }),
            "not a task of the shape"));
}

TEST_CASE("evaluate gives a regression's figures again, digit for digit") {
  const TemporaryFolder folder;
  const fs::path run = run_sine(folder);
  const Outcome outcome = kshot(folder.path(), {"evaluate", run.string(), "--threads", "1"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("5-shot regression, 12 episodes: mse ") != std::string::npos);
  CHECK(outcome.out.find("the same figures as the record, digit for digit") != std::string::npos);
  const Outcome other =
      kshot(folder.path(), {"evaluate", run.string(), "--set", "episodes.test.shot=10"});
  INFO(other.err);
  CHECK(other.code == 0);
}

TEST_CASE("on the leaderboard and in a comparison the lower error is the better one") {
  const TemporaryFolder folder;
  run_sine(folder);
  // Untrained, and steps so large that answers go astray.
  run_sine(folder, {{"name", "wild"},
                    {"algorithm", {{"inner_lr", 0.1}, {"inner_steps", 1}}},
                    {"train", {{"iterations", 0}}}});
  const Json board = kshot(folder.path(), {"leaderboard", "--json"}).json();
  REQUIRE(board.is_object());
  REQUIRE(board["tables"].size() == 1);
  const Json& methods = board["tables"][0]["methods"];
  REQUIRE(methods.size() == 2);
  CHECK(methods[0]["rank"] == 1);
  CHECK(methods[0]["mse"]["mean"].get<double>() < methods[1]["mse"]["mean"].get<double>());
  CHECK_FALSE(methods[0].contains("accuracy"));
  const std::string text = kshot(folder.path(), {"leaderboard"}).out;
  CHECK(text.find("Mean squared error") != std::string::npos);
  CHECK(text.find('%') == text.find("intervals 95 %") + 13);

  const Json compared = kshot(folder.path(), {"compare", "sine", "wild", "--json"}).json();
  REQUIRE(compared.is_object());
  CHECK(compared["first"].contains("error"));
  const double difference = compared["comparison"]["difference"];
  const int64_t better = compared["tasks"]["better"], worse = compared["tasks"]["worse"];
  CHECK(better + worse <= 12);
  const std::string told = kshot(folder.path(), {"compare", "sine", "wild"}).out;
  const std::string first = difference < 0 ? "sine" : "wild";
  const bool named_first = told.find(first + " beats ") != std::string::npos ||
                           told.find(first + " and ") != std::string::npos;
  CHECK(named_first);
  CHECK(told.find("points") == std::string::npos);
}

TEST_CASE("what cannot do a regression says so in one line, and writes nothing") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "sine.json", sine_spec().dump());
  const struct {
    const char* edit;
    const char* said;
  } cases[] = {{"algorithm.name=protonet", "algorithm \"protonet\" classifies"},
               {"algorithm.name=nearest_pixel", "algorithm \"nearest_pixel\" classifies"},
               {"backbone.name=conv4", "backbone conv4 takes images"},
               {"episodes.test.way=5", "way is 5"},
               {"episodes.train.query=0", "query is 0"},
               {"episodes.test.dataset={\"name\":\"synthetic_glyphs\"}", "split"}};
  for (const auto& example : cases) {
    const Outcome outcome =
        kshot(folder.path(), {"run", "sine.json", "--device", "cpu", "--set", example.edit});
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.said) != std::string::npos);
  }
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"sine.json"});
}

TEST_CASE("a regression's tasks are printed and written with what they were drawn as") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "sine.json", sine_spec().dump());
  const Outcome printed = kshot(folder.path(), {"episodes", "sine.json", "--count", "3"});
  REQUIRE(printed.code == 0);
  CHECK(Json::parse(printed.out.substr(0, printed.out.find('\n')))["values"].size() == 11);
  const Outcome written =
      kshot(folder.path(), {"episodes", "sine.json", "--count", "3", "--out", "tasks.h5"});
  INFO(written.err);
  REQUIRE(written.code == 0);
  const Hdf5Reader file(folder / "tasks.h5");
  CHECK(file.read("support_inputs").sizes() == torch::IntArrayRef{3, 5, 1});
  CHECK(file.read("query_targets").sizes() == torch::IntArrayRef{3, 4, 1});
  CHECK(file.read("query_targets").scalar_type() == torch::kFloat);
}

TEST_CASE("bench times regressions as it does classifications") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "sine.json", sine_spec().dump());
  const Json json =
      kshot(folder.path(), {"bench", "sine.json", "--steps", "2", "--json", "--device", "cpu"})
          .json();
  REQUIRE(json.is_object());
  CHECK(json["training"]["tasks_per_second"].get<double>() > 0);
  CHECK(json["testing"]["tasks_per_second"].get<double>() > 0);
}

TEST_CASE("the sinusoid presets meet the same test tasks and know their paper's numbers") {
  const TemporaryFolder folder;
  const auto tasks = [&](const std::string& preset) {
    return kshot(folder.path(), {"episodes", preset, "--count", "5"}).out;
  };
  const std::string expected = tasks("sinusoid-maml");
  CHECK_FALSE(expected.empty());
  CHECK(tasks("sinusoid-maml-lr001") == expected);
  CHECK(tasks("sinusoid-pretrain") == expected);
  const std::string list = kshot(folder.path(), {"list", "specs"}).out;
  CHECK(list.find("mse 0.35") != std::string::npos);
  CHECK(list.find("mse 2.19") != std::string::npos);
}

}  // namespace kshot::regression_run_test
