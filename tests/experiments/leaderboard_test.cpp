#include <cmath>
#include <cstdlib>

#include "experiments/experiment_spec.h"
#include "experiments/leaderboard/comparison_words.h"
#include "experiments/leaderboard/leaderboard_document.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::leaderboard_test {

using doctest::Approx;
using test::around;
using test::message_of;
using test::read_json;
using test::TemporaryFolder;
using test::write_json;
using test::write_record;

namespace fs = std::filesystem;

namespace {

std::vector<LeaderboardTable> tables_under(const fs::path& results) {
  return make_leaderboard(read_records({results}).runs);
}

std::string text_of(const std::vector<LeaderboardTable>& tables, bool bold = false) {
  return render_text(leaderboard_document(tables, {}), bold);
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
          "result.json: run is 3, expected an object"));
  CHECK(has(
      warning_after([](const fs::path& run) { edit_result(run, {{"run", {{"dirty", "no"}}}}); }),
      "result.json: run.dirty is \"no\", expected true or false"));
  CHECK(
      has(warning_after([](const fs::path& run) { write_json(run / "env.json", {{"device", 0}}); }),
          "env.json: device is 0, expected a string"));
  CHECK(has(warning_after(
                [](const fs::path& run) { write_json(run / "spec.json", {{"train", "long"}}); }),
            "spec.json: train is \"long\", expected an object"));
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

  const std::string text = text_of(tables);
  CHECK(text.find("Beyond noise:\n  " + table.rows[0].method + " beats low by ") !=
        std::string::npos);
  CHECK(text.find("Not told apart:\n  ") != std::string::npos);
  CHECK(text.find('\033') == std::string::npos);
  const std::string bold = text_of(tables, true);
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
      {.spec = {{"train", {{"retrain_extra", 100}}}},
       .result = {{"run", {{"dirty", true}}},
                  {"data", {{"leak", {"class1"}}}},
                  {"algorithm", {{"transductive", true}}},
                  {"deviations", {"one", "two"}},
                  {"paper", {{"accuracy", 0.75}, {"source", "A 2020"}, {"comparable", false}}}}});
  const auto tables = tables_under(results.path());
  const std::vector<std::string> expected{"transductive", "extra data",   "leaked classes",
                                          "dirty",        "2 deviations", "not comparable"};
  CHECK(tables[0].rows[0].flags() == expected);
  CHECK(text_of(tables).find("75.00 (-5.00)") != std::string::npos);
}

std::vector<std::string> flags_of(const test::Recipe& recipe) {
  const TemporaryFolder results;
  write_record(results.path(), recipe);
  return tables_under(results.path())[0].rows[0].flags();
}

TEST_CASE("whatever a method learned from beyond the train split is extra data") {
  const std::string own = "0123456789abcdef";
  const std::vector<std::string> extra{"extra data"}, none;
  CHECK(flags_of({}) == none);
  CHECK(flags_of({.spec = {{"backbone", {{"weights", "resnet18"}}}}}) == extra);
  CHECK(flags_of({.spec = {{"backbone", {{"weights", nullptr}}}}}) == none);
  CHECK(flags_of({.env = {{"weights_sha256", {"ffff"}}}}) == extra);
  CHECK(flags_of({.env = {{"weights_sha256", Json::array()}}}) == none);
  CHECK(flags_of({.spec = {{"train", {{"retrain_extra", 10}}}}}) == extra);
  // A data set of another content for training or validation.
  CHECK(flags_of({.env = {{"data_sha256", {own, own, own}}}}) == none);
  CHECK(flags_of({.env = {{"data_sha256", {"", "", own}}}}) == none);
  CHECK(flags_of({.env = {{"data_sha256", {"ffff", own, own}}}}) == extra);
  CHECK(flags_of({.env = {{"data_sha256", {own, "ffff", own}}}}) == extra);
  // An older record does not state hashes: a data set block of its own may be anything.
  const Json other{{"episodes", {{"train", {{"dataset", {{"name", "other"}}}}}}}};
  CHECK(flags_of({.spec = other}) == extra);
  CHECK(flags_of({.spec = other, .env = {{"data_sha256", {own, own, own}}}}) == none);
}

TEST_CASE("classes leaked from training into the test are flagged where the record says so") {
  const std::vector<std::string> leaked{"leaked classes"}, none;
  const auto with_leak = [](const Json& leak) {
    return flags_of({.result = {{"data", {{"leak", leak}}}}});
  };
  CHECK(with_leak(true) == leaked);
  CHECK(with_leak(3) == leaked);
  CHECK(with_leak({"class1", "class2"}) == leaked);
  CHECK(with_leak(false) == none);
  CHECK(with_leak(0) == none);
  CHECK(with_leak(Json::array()) == none);
}

test::Recipe with_paper(double accuracy, bool comparable = true) {
  return {.result = {{"paper", {{"accuracy", accuracy}, {"comparable", comparable}}}}};
}

TEST_CASE("the paper's number agrees where it lies within the interval for new classes") {
  const auto paper_of = [](const test::Recipe& recipe) {
    const TemporaryFolder results;
    write_record(results.path(), recipe);
    const auto tables = tables_under(results.path());
    return std::pair(tables[0].rows[0].paper(tables[0].score()).value(),
                     tables[0].rows[0].ci95_classes.value());
  };
  const auto [paper, interval] = paper_of(with_paper(0.7));
  CHECK(paper.half_width.value() == Approx(interval).epsilon(1e-12));
  CHECK(paper.agrees);
  CHECK(paper_of(with_paper(0.7 + 0.99 * interval)).first.agrees);
  CHECK_FALSE(paper_of(with_paper(0.7 + 1.01 * interval)).first.agrees);
  CHECK_FALSE(paper_of(with_paper(0.7 - 1.01 * interval)).first.agrees);
  // Numbers of another protocol neither agree nor disagree.
  CHECK_FALSE(paper_of(with_paper(0.7, false)).first.half_width.has_value());
}

TEST_CASE("several seeds widen it by the interval for one more training: worked by hand") {
  // Means 0.7 and 0.75: s = sqrt(2) * 0.025; t_{1,0.975} = 12.7062047; times sqrt(1 + 1/2).
  const TemporaryFolder results;
  test::Recipe second{.id = "000000000002", .seed = 2, .right = {8, 8, 6, 8}};
  second.result = with_paper(0.2).result;
  write_record(results.path(), with_paper(0.2));
  write_record(results.path(), second);
  const auto tables = tables_under(results.path());
  const LeaderboardRow& row = tables[0].rows[0];
  const double training = 12.7062047 * std::sqrt(2) * 0.025 * std::sqrt(1.5);
  CHECK(row.paper(tables[0].score())->half_width.value() ==
        Approx(std::hypot(row.ci95_classes.value(), training)).epsilon(1e-7));
  CHECK(row.paper(tables[0].score())->agrees);  // 0.725 - 0.2 is less than that
}

TEST_CASE("the table and the JSON say whether the paper's number agrees") {
  const TemporaryFolder results;
  write_record(results.path(), with_paper(0.05));
  const auto tables = tables_under(results.path());
  const std::string text = text_of(tables);
  CHECK(text.find("no, beyond ") != std::string::npos);
  CHECK(text.find("Agrees: whether the paper's number lies within our interval for new classes.") !=
        std::string::npos);
  const Json paper = leaderboard_json(tables, {})["tables"][0]["methods"][0]["paper"];
  CHECK(paper.at("agrees") == false);
  CHECK(paper.at("within") == *tables[0].rows[0].ci95_classes);
  CHECK(paper.at("accuracy") == 0.05);

  const TemporaryFolder others;
  write_record(others.path(), with_paper(0.05, false));
  const auto incomparable = tables_under(others.path());
  CHECK(text_of(incomparable).find("Agrees") == std::string::npos);
  CHECK_FALSE(
      leaderboard_json(incomparable, {})["tables"][0]["methods"][0]["paper"].contains("agrees"));
}

TEST_CASE("unfinished runs are named below the tables and in the JSON") {
  const TemporaryFolder results;
  write_record(results.path(), {});
  make_folder(results / "beta/bbbbbbbbbbbb/checkpoints");
  write_json(results / "beta/bbbbbbbbbbbb/spec.json", {{"name", "beta"}});
  const Records records = read_records({results.path()});
  CHECK(records.runs.size() == 1);
  REQUIRE(records.unfinished.size() == 1);
  const auto tables = make_leaderboard(records.runs);
  const std::string folder = records.unfinished[0].generic_string();
  CHECK(folder.ends_with("beta/bbbbbbbbbbbb"));
  CHECK(render_text(leaderboard_document(tables, records), false)
            .ends_with("\nUnfinished, in no table: 1 run: " + folder + ".\n"));
  CHECK(leaderboard_json(tables, records)["unfinished"] == Json{folder});
  CHECK(leaderboard_json(tables, {})["unfinished"] == Json::array());
}

TEST_CASE("a method alone makes a table without comparisons, as text and as JSON") {
  const TemporaryFolder results;
  write_record(results.path(), {});
  const Records records = read_records({results.path()});
  const auto tables = make_leaderboard(records.runs);
  CHECK(text_of(tables).find("paired") == std::string::npos);
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
