#include "experiments/leaderboard.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "experiments/experiment_spec.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"

namespace kshot::leaderboard_test {

using doctest::Approx;
using kshot::test::message_of;
using kshot::test::TemporaryFolder;

namespace fs = std::filesystem;

namespace {

constexpr int64_t kQueries = 10, kClasses = 6;

/// A record to be written. Tasks are 2-way 1-shot with 5 queries a class: an accuracy is right/10.
struct Recipe {
  std::string name = "alpha", id = "aaaaaaaaaaaa";
  uint64_t seed = 1;
  std::vector<int> right{6, 8, 4, 10};                  ///< right answers of each episode
  int64_t first_row = 0;                                ///< other rows are other tasks
  Json spec = Json::object(), result = Json::object();  ///< merged in
};

std::vector<TaskClass> classes() {
  std::vector<TaskClass> list;
  for (int64_t c = 0; c < kClasses; ++c) list.push_back({"class" + std::to_string(c), c});
  return list;
}

EpisodeOutcome episode_of(const Recipe& recipe, int64_t e) {
  EpisodeOutcome outcome;
  TaskPlan& plan = outcome.plan;
  plan.index = static_cast<uint64_t>(e);
  plan.outputs = 2;
  plan.classes = {e % kClasses, (e + 1 + e / kClasses % (kClasses - 1)) % kClasses};
  plan.support = {recipe.first_row, recipe.first_row + 20};
  plan.support_labels = {0, 1};
  const int right = recipe.right[static_cast<size_t>(e)];
  for (int64_t q = 0; q < kQueries; ++q) {
    const int64_t label = q / 5;
    plan.query.push_back(recipe.first_row + 1 + q);
    plan.query_labels.push_back(label);
    outcome.predictions.push_back(q < right ? label : 1 - label);
  }
  outcome.accuracy = right / 10.0;
  outcome.loss = 1 - outcome.accuracy;
  return outcome;
}

/// The hash as the sampler would give it: through a source of the same plans.
class Plans final : public TaskSource {
 public:
  explicit Plans(const std::vector<EpisodeOutcome>& episodes) : episodes_(episodes) {}
  TaskPlan plan(uint64_t index) const override { return episodes_.at(index).plan; }
  Episodes load(std::span<const TaskPlan>) const override { return {}; }
  Shapes shapes() const override { return {}; }
  const std::vector<TaskClass>& classes() const override { return none_; }

 private:
  const std::vector<EpisodeOutcome>& episodes_;
  std::vector<TaskClass> none_;
};

void write_json(const fs::path& path, const Json& json) {
  write_file_atomically(path, json.dump(1));
}

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

fs::path write_record(const fs::path& results, const Recipe& recipe) {
  Evaluation evaluation;
  for (size_t e = 0; e < recipe.right.size(); ++e) {
    evaluation.episodes.push_back(episode_of(recipe, static_cast<int64_t>(e)));
  }
  const auto count = static_cast<int64_t>(recipe.right.size());
  evaluation.episodes_sha256 = plans_sha256(Plans(evaluation.episodes), count);
  summarise(evaluation, classes());

  const fs::path folder = results / recipe.name / recipe.id;
  make_folder(folder);
  Json spec{{"name", recipe.name}, {"seed", recipe.seed}, {"algorithm", {{"name", "protonet"}}}};
  spec.merge_patch(recipe.spec);
  Json listed = Json::array();
  for (const TaskClass& c : classes()) listed.push_back({{"name", c.name}, {"source", c.source}});
  Json result{
      {"schema", "kshot.result/1"},
      {"run",
       {{"id", recipe.id},
        {"name", recipe.name},
        {"seed", recipe.seed},
        {"source_id", "abc"},
        {"dirty", false}}},
      {"data",
       {{"name", "toy"}, {"sha256", "0123456789abcdef"}, {"classes", {{"test", kClasses}}}}},
      {"algorithm", {{"name", "protonet"}, {"transductive", false}}},
      {"test",
       {{"way", 2},
        {"shot", 1},
        {"query", 5},
        {"split", "test"},
        {"episodes", count},
        {"episodes_sha256", evaluation.episodes_sha256},
        {"accuracy", accuracy_block(evaluation)},
        {"loss", loss_block(evaluation)}}}};
  result.merge_patch(recipe.result);
  write_json(folder / "spec.json", spec);
  write_json(folder / "env.json", {{"device", "cpu"}, {"libtorch", "2.11.0"}});
  write_json(folder / "data.json", {{"sha256", "0123456789abcdef"}, {"test_classes", listed}});
  write_file_atomically(folder / "episodes.jsonl", outcomes_text(evaluation.episodes));
  write_json(folder / "result.json", result);
  return folder;
}

/// 60 episodes around `level` right answers of 10, up and down by a pattern of its own.
std::vector<int> around(int level, int pattern) {
  std::vector<int> right;
  for (int e = 0; e < 60; ++e) right.push_back(level + (e * pattern / 7 + e) % 3 - 1);
  return right;
}

std::vector<LeaderboardTable> tables_under(const fs::path& results) {
  return make_leaderboard(read_records({results}).runs);
}

std::string method_names(const LeaderboardTable& table) {
  std::vector<std::string> names;
  for (const LeaderboardRow& row : table.rows) names.push_back(row.method);
  return fmt::format("{}", fmt::join(names, "; "));
}

/// Changes result.json of a good record and gives the warning that it earns.
template <class Change>
std::string warning_after(Change change) {
  const TemporaryFolder results;
  const fs::path folder = write_record(results.path(), {});
  REQUIRE(read_records({results.path()}).warnings.empty());
  change(folder);
  const Records records = read_records({results.path()});
  CHECK(records.runs.empty());
  REQUIRE(records.warnings.size() == 1);
  CHECK(records.warnings[0].starts_with(folder.string()));
  CHECK(records.warnings[0].ends_with("; left out"));
  return records.warnings[0];
}

void edit_result(const fs::path& folder, const Json& patch) {
  Json result = read_json(folder / "result.json");
  result.merge_patch(patch);
  write_json(folder / "result.json", result);
}

void edit_line(const fs::path& folder, size_t line, const std::function<void(Json&)>& edit) {
  std::vector<EpisodeOutcome> outcomes = read_outcomes(folder / "episodes.jsonl");
  Json json = outcome_to_json(outcomes[line]);
  edit(json);
  outcomes[line] = outcome_from_json(json, "test");
  write_file_atomically(folder / "episodes.jsonl", outcomes_text(outcomes));
}

}  // namespace

TEST_CASE("a record is read with the figures that its lines give") {
  const TemporaryFolder results;
  const fs::path folder = write_record(results.path(), {});
  const RecordedRun run = read_recorded_run(folder);
  CHECK(run.id == "aaaaaaaaaaaa");
  CHECK(run.scores == std::vector<double>{0.6, 0.8, 0.4, 1.0});
  CHECK(run.score.mean == Approx(0.7).epsilon(1e-12));
  CHECK(run.sources[0] == std::vector<int64_t>{0, 1});
  CHECK(title_of(run.tasks) == "toy test: 2-way 1-shot, 5 queries a class, 4 episodes");
}

TEST_CASE("episode lines may be gzipped") {
  const TemporaryFolder results;
  const fs::path folder = write_record(results.path(), {});
  // NOLINTNEXTLINE(bugprone-command-processor)
  REQUIRE(std::system(("gzip '" + (folder / "episodes.jsonl").string() + "'").c_str()) == 0);
  CHECK(read_recorded_run(folder).score.mean == Approx(0.7).epsilon(1e-12));

  const fs::path packed = folder / "episodes.jsonl.gz";
  write_file_atomically(packed, read_file(packed).substr(0, 100));
  CHECK(message_of([&] { read_recorded_run(folder); }).starts_with(folder.string()));
}

TEST_CASE("an altered record is left out, with a warning that names it") {
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(has(warning_after([](const fs::path& run) {
              edit_result(run, {{"test", {{"accuracy", {{"mean", 0.75}}}}}});
            }),
            "result.json states accuracy.mean = 0.75, the episode lines give 0.7"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_result(run, {{"test", {{"accuracy", {{"ci95_episodes", 0.01}}}}}});
            }),
            "accuracy.ci95_episodes = 0.01"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_result(run, {{"test", {{"accuracy", {{"ci95_classes", nullptr}}}}}});
            }),
            "no accuracy.ci95_classes"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_result(run, {{"test", {{"loss", {{"mean", 0.1}}}}}});
            }),
            "loss.mean"));
  CHECK(has(
      warning_after([](const fs::path& run) { edit_result(run, {{"test", {{"episodes", 5}}}}); }),
      "5 episodes, there are 4 lines"));
  CHECK(has(warning_after([](const fs::path& run) { edit_result(run, {{"test", {{"way", 3}}}}); }),
            "not a task of the shape"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_line(run, 2, [](Json& line) { line["accuracy"] = 0.9; });
            }),
            "episode 2 states accuracy 0.9, its predictions give 0.4"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_line(run, 1, [](Json& line) { line["query"][0] = 19; });
            }),
            "other tasks than episodes_sha256 says"));
  CHECK(has(warning_after([](const fs::path& run) {
              edit_line(run, 1, [](Json& line) { line["classes"][0] = 99; });
            }),
            "not a task of the shape"));
  CHECK(has(
      warning_after([](const fs::path& run) { write_file_atomically(run / "result.json", "{"); }),
      "not a JSON object"));
  CHECK(
      has(warning_after([](const fs::path& run) { write_json(run / "result.json", {{"run", 3}}); }),
          "not a record"));
  CHECK(has(warning_after(
                [](const fs::path& run) { edit_result(run, {{"data", {{"sha256", "ffff"}}}}); }),
            "another data set"));
  warning_after([](const fs::path& run) { fs::remove(run / "episodes.jsonl"); });
  warning_after([](const fs::path& run) { fs::remove(run / "data.json"); });
}

TEST_CASE("runs on other tasks stand in a table of their own, and say what differs") {
  const TemporaryFolder results;
  write_record(results.path(), {});
  write_record(results.path(), {.name = "beta", .id = "bbbbbbbbbbbb", .first_row = 40});
  write_record(results.path(), {.name = "gamma", .id = "cccccccccccc", .right = {1, 2, 3}});
  const auto tables = tables_under(results.path());
  REQUIRE(tables.size() == 3);
  for (const LeaderboardTable& table : tables) CHECK(table.rows.size() == 1);
  const Records records = read_records({results.path()});
  CHECK(differences(records.runs[0].tasks, records.runs[1].tasks).starts_with("episodes sha256 "));
  CHECK(differences(records.runs[0].tasks, records.runs[2].tasks) == "episodes 4 and 3");
  CHECK(differences(records.runs[0].tasks, records.runs[0].tasks).empty());
}

TEST_CASE("the same run id counts once; other figures under it are reported") {
  const TemporaryFolder results;
  write_record(results.path() / "here", {});
  write_record(results.path() / "published", {});
  const Records records = read_records({results.path(), results.path() / "here"});
  CHECK(records.runs.size() == 1);
  CHECK(records.duplicates == 1);
  CHECK(records.warnings.empty());

  const fs::path other = write_record(results.path() / "there", {.right = {6, 8, 4, 9}});
  const Records conflicting = read_records({results.path()});
  CHECK(conflicting.runs.size() == 1);
  REQUIRE(conflicting.warnings.size() == 1);
  CHECK(conflicting.warnings[0].starts_with(other.string() + ": same run id as"));
}

TEST_CASE("evaluations of a run are passed over unless they are given") {
  const TemporaryFolder results;
  const fs::path run = write_record(results.path(), {});
  const fs::path evaluation =
      write_record(run / "evaluations", {.id = "eeeeeeeeeeee", .first_row = 40});
  write_record(results.path(), {.id = "ffffffffffff.again"});
  CHECK(read_records({results.path()}).runs.size() == 1);
  CHECK(read_records({run}).runs.size() == 1);
  CHECK(read_records({run, evaluation}).runs.size() == 2);
  CHECK(message_of([&] {
          read_records({results / "nowhere"});
        }).ends_with("nowhere: no such folder"));
}

TEST_CASE("methods that cannot be told apart share a rank") {
  const TemporaryFolder results;
  write_record(results.path(), {.name = "high", .id = "000000000001", .right = around(8, 3)});
  write_record(results.path(), {.name = "like-high", .id = "000000000002", .right = around(8, 5)});
  write_record(results.path(), {.name = "low", .id = "000000000003", .right = around(4, 2)});
  const auto tables = tables_under(results.path());
  REQUIRE(tables.size() == 1);
  const LeaderboardTable& table = tables[0];
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0].rank == 1);
  CHECK(table.rows[1].rank == 1);
  CHECK(table.rows[2].rank == 3);
  CHECK(table.rows[2].method == "low");

  const std::string text = leaderboard_text(tables, false);
  CHECK(text.find("Beyond noise:\n  " + table.rows[0].method + " beats low by ") !=
        std::string::npos);
  CHECK(text.find("Not told apart:\n  ") != std::string::npos);
  CHECK(text.find('\033') == std::string::npos);
  const std::string bold = leaderboard_text(tables, true);
  CHECK(std::count(bold.begin(), bold.end(), '\033') == 4);  // on and off for two lines
}

TEST_CASE("training seeds are pooled: worked by hand") {
  // Seed 1: 0.6 0.8 0.4 1.0, mean 0.7. Seed 2: 0.8 0.8 0.6 0.8, mean 0.75.
  // Of each episode 0.7 0.8 0.5 0.9, mean 0.725; deviations -0.025 0.075 -0.225 0.175, squares
  // 0.0875; std = sqrt(0.0875/3); t_{3,0.975} = 3.18244631. Spread of the seeds: sqrt(2) * 0.025.
  const TemporaryFolder results;
  write_record(results.path(), {.id = "000000000001", .seed = 1});
  write_record(results.path(), {.id = "000000000002", .seed = 2, .right = {8, 8, 6, 8}});
  write_record(results.path(), {.name = "beta", .id = "000000000003", .right = {5, 7, 3, 9}});
  const auto tables = tables_under(results.path());
  REQUIRE(tables.size() == 1);
  REQUIRE(tables[0].rows.size() == 2);
  const LeaderboardRow& row = tables[0].rows[0];
  CHECK(row.method == "alpha");
  CHECK(row.runs.size() == 2);
  CHECK(row.scores[3] == Approx(0.9).epsilon(1e-12));
  CHECK(row.score.mean == Approx(0.725).epsilon(1e-12));
  CHECK(row.score.ci95.value() == Approx(3.18244631 * std::sqrt(0.0875 / 3) / 2).epsilon(1e-8));
  CHECK(row.seed_spread.value() == Approx(std::sqrt(2) * 0.025).epsilon(1e-10));
  CHECK_FALSE(tables[0].rows[1].seed_spread.has_value());
  // beta: 0.5 0.7 0.3 0.9, mean 0.6: what is paired is the mean over seeds.
  CHECK(tables[0].ranking.pair(0, 1).comparison.difference == Approx(0.125).epsilon(1e-10));
}

TEST_CASE("runs of one name are one method only where nothing but the seed differs") {
  const TemporaryFolder results;
  const auto with_lr = [](const char* lr) { return Json{{"optimizer", {{"lr", lr}}}}; };
  write_record(results.path(), {.id = "000000000001", .seed = 1, .spec = with_lr("0.1")});
  write_record(results.path(), {.id = "000000000002", .seed = 2, .spec = with_lr("0.1")});
  write_record(results.path(),
               {.id = "000000000003", .seed = 1, .right = {1, 1, 1, 2}, .spec = with_lr("0.4")});
  auto tables = tables_under(results.path());
  CHECK(method_names(tables[0]) == "alpha optimizer.lr=0.1; alpha optimizer.lr=0.4");

  // The paper's number and the run's notes make no other method.
  write_record(results.path(), {.id = "000000000004",
                                .seed = 3,
                                .spec = {{"optimizer", {{"lr", "0.1"}}}, {"deviations", {"x"}}}});
  tables = tables_under(results.path());
  CHECK(tables[0].rows[0].runs.size() == 3);

  // The same seed twice, from other sources.
  write_record(results.path(), {.name = "beta", .id = "000000000005"});
  write_record(results.path(),
               {.name = "beta", .id = "000000000006", .result = {{"run", {{"source_id", "def"}}}}});
  CHECK(method_names(tables_under(results.path())[0]) ==
        "alpha optimizer.lr=0.1; beta source=abc; beta source=def; alpha optimizer.lr=0.4");
}

TEST_CASE("what a reader must know beside the accuracy is flagged") {
  const TemporaryFolder results;
  write_record(
      results.path(),
      {.result = {{"run", {{"dirty", true}}},
                  {"algorithm", {{"transductive", true}}},
                  {"deviations", {"one", "two"}},
                  {"paper", {{"accuracy", 0.75}, {"source", "A 2020"}, {"comparable", false}}}}});
  const auto tables = tables_under(results.path());
  const std::vector<std::string> expected{"transductive", "dirty", "2 deviations",
                                          "not comparable"};
  CHECK(tables[0].rows[0].flags() == expected);
  CHECK(leaderboard_text(tables, false).find("75.00 (-5.00)") != std::string::npos);
}

TEST_CASE("a method alone makes a table without comparisons, as text and as JSON") {
  const TemporaryFolder results;
  write_record(results.path(), {});
  const Records records = read_records({results.path()});
  const auto tables = make_leaderboard(records.runs);
  CHECK(leaderboard_text(tables, false).find("paired") == std::string::npos);
  const Json json = leaderboard_json(tables, records);
  CHECK(json.at("schema") == "kshot.leaderboard/1");
  const Json& method = json.at("tables").at(0).at("methods").at(0);
  CHECK(method.at("accuracy").at("mean").get<double>() == Approx(0.7).epsilon(1e-12));
  CHECK_FALSE(method.at("accuracy").contains("std_over_seeds"));
  CHECK_FALSE(method.contains("paper"));
  CHECK(json.at("tables").at(0).at("pairs").empty());
  CHECK(json.dump().find("null") == std::string::npos);
}

TEST_CASE("a verdict names the better method first, whichever way the difference was taken") {
  const Comparison comparison{.episodes = 600,
                              .difference = -0.3121,
                              .on_episodes = StandardError{.value = 0.01, .freedom = 1e9}};
  CHECK(verdict("a", "b", comparison, 1e-9) == "b beats a by 31.21 +- 1.96 points (p < 0.001)");
  CHECK(verdict("a", "b", comparison, 0.25) == "b and a: 31.21 +- 1.96 points apart (p = 0.25)");
  CHECK(p_text(0.0421) == "p = 0.042");
  CHECK(p_text(1) == "p = 1");
}

TEST_CASE("presets that are meant to be compared meet the same tasks") {
  const auto tested_on = [](const std::string& preset) {
    const Json json = spec_to_json(read_spec(load_spec(preset, {}), "cpu"));
    return Json{json.at("dataset"), json.at("episodes").at("test")}.dump();
  };
  for (const char* companion : {"demo-protonet-cosine", "demo-untrained", "demo-nearest-pixel"}) {
    CHECK(tested_on(companion) == tested_on("demo"));
  }
  CHECK(tested_on("protonet-omniglot-quick") == tested_on("protonet-omniglot-5w1s"));
  CHECK(tested_on("nearest-pixel-omniglot-5w1s") == tested_on("protonet-omniglot-5w1s"));
  CHECK(tested_on("nearest-pixel-omniglot-20w1s") == tested_on("protonet-omniglot-20w1s"));
}

}  // namespace kshot::leaderboard_test
