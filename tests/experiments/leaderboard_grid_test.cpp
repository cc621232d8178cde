#include "experiments/leaderboard/leaderboard_grid.h"

#include "experiments/leaderboard/leaderboard_document.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::leaderboard_grid_test {

namespace fs = std::filesystem;
using test::around;
using test::Recipe;
using test::TemporaryFolder;
using test::write_record;

namespace {

/// A run on a data set by that name; everything else is the recipe's.
void write_on(const fs::path& results, const std::string& data, Recipe recipe) {
  recipe.result.merge_patch({{"data", {{"name", data}}}});
  recipe.spec.merge_patch({{"dataset", {{"name", data}}}});
  write_record(results, recipe);
}

std::vector<LeaderboardTable> tables_under(const fs::path& results) {
  return make_leaderboard(read_records({results}).runs);
}

/// "alpha: 0 -; beta: 1 0", the places of each row.
std::string places_of(const LeaderboardGrid& grid) {
  std::vector<std::string> rows;
  for (const GridRow& row : grid.rows) {
    std::string text = row.method + ":";
    for (const auto& place : row.places) text += place ? " " + std::to_string(*place) : " -";
    rows.push_back(text);
  }
  return fmt::format("{}", fmt::join(rows, "; "));
}

}  // namespace

TEST_CASE("methods that are the same but for the tasks stand in one row") {
  const TemporaryFolder results;
  write_on(results.path(), "birds", {.name = "proto-birds", .id = "000000000001"});
  write_on(results.path(), "birds",
           {.name = "maml-birds",
            .id = "000000000002",
            .right = {1, 1, 2, 1},
            .spec = {{"algorithm", {{"name", "maml"}}}}});
  write_on(results.path(), "cars",
           {.name = "maml-cars",
            .id = "000000000003",
            .right = {9, 9, 9, 10},
            .spec = {{"algorithm", {{"name", "maml"}}}}});
  write_on(results.path(), "cars", {.name = "proto-cars", .id = "000000000004"});
  const auto tables = tables_under(results.path());
  const LeaderboardGrid grid = make_grid(tables);
  REQUIRE(grid.columns.size() == 2);
  CHECK(grid.columns[0].title == "birds 2-way 1-shot");
  CHECK(grid.columns[1].title == "cars 2-way 1-shot");
  CHECK(places_of(grid) == "proto: 0 1; maml: 1 0");
  for (const GridRow& row : grid.rows) CHECK(row.differing.empty());
}

TEST_CASE("the wide table shows the flags of any column, each once") {
  const TemporaryFolder results;
  const Json transductive{{"algorithm", {{"transductive", true}}}};
  write_on(results.path(), "birds", {.id = "000000000001", .result = transductive});
  Json both = transductive;
  both["run"]["dirty"] = true;
  write_on(results.path(), "cars", {.id = "000000000002", .result = both});
  const auto tables = tables_under(results.path());
  const LeaderboardGrid grid = make_grid(tables);
  REQUIRE(grid.rows.size() == 1);
  CHECK(grid.rows[0].flags == std::vector<std::string>{"transductive", "dirty"});
  CHECK(render_text(grid_document(grid, {}), false).find("transductive, dirty") !=
        std::string::npos);
  CHECK(grid_json(grid)["rows"][0]["cells"][0]["flags"] == Json{"transductive"});
}

TEST_CASE("a name matches settings that differ, and the reader is told; a choice of two does not") {
  const TemporaryFolder results;
  const auto with_lr = [](const char* lr) { return Json{{"optimizer", {{"lr", lr}}}}; };
  write_on(results.path(), "birds", {.id = "000000000001", .spec = with_lr("0.1")});
  write_on(results.path(), "cars", {.id = "000000000002", .spec = with_lr("0.4")});
  auto tables = tables_under(results.path());
  LeaderboardGrid grid = make_grid(tables);
  CHECK(places_of(grid) == "alpha: 0 0");
  CHECK(grid.rows[0].differing == std::vector<std::string>{"optimizer.lr"});
  CHECK(render_text(grid_document(grid, {}), false)
            .find("alpha is not set alike in all columns: optimizer.lr.") != std::string::npos);

  write_on(results.path(), "cars",
           {.id = "000000000003", .right = {1, 1, 1, 2}, .spec = with_lr("0.9")});
  tables = tables_under(results.path());
  CHECK(places_of(make_grid(tables)) ==
        "alpha optimizer.lr=0.1: 0 -; alpha optimizer.lr=0.4: - 0; alpha optimizer.lr=0.9: - 1");
  // With the same settings there is no choice to be made.
  write_on(results.path(), "cars",
           {.id = "000000000004", .right = {1, 1, 1, 1}, .spec = with_lr("0.1")});
  tables = tables_under(results.path());
  CHECK(places_of(make_grid(tables)) ==
        "alpha optimizer.lr=0.1: 0 2; alpha optimizer.lr=0.4: - 0; alpha optimizer.lr=0.9: - 1");
}

TEST_CASE("another build is no other method where nothing closer matches") {
  const TemporaryFolder results;
  const auto built = [](const char* source) { return Json{{"run", {{"source_id", source}}}}; };
  write_on(results.path(), "birds", {.name = "one", .id = "000000000001", .result = built("aaa")});
  write_on(results.path(), "cars", {.name = "two", .id = "000000000002", .result = built("bbb")});
  auto tables = tables_under(results.path());
  LeaderboardGrid grid = make_grid(tables);
  CHECK(grid.rows.size() == 1);
  CHECK(grid.rows[0].method == "protonet");  // the names have nothing in common
  CHECK(grid.rows[0].differing == std::vector<std::string>{"source"});

  write_on(results.path(), "cars",
           {.name = "three", .id = "000000000003", .right = {1, 1, 1, 1}, .result = built("aaa")});
  tables = tables_under(results.path());
  grid = make_grid(tables);
  CHECK(grid.rows[0].places == std::vector<std::optional<size_t>>{0, 1});
}

TEST_CASE("columns of the same data, way and shot are told apart and never averaged") {
  const TemporaryFolder results;
  write_on(results.path(), "birds", {.id = "000000000001"});
  write_on(results.path(), "birds", {.id = "000000000002", .first_row = 40});
  write_on(results.path(), "birds", {.id = "000000000003", .right = {2, 2, 2}});
  const auto tables = tables_under(results.path());
  const LeaderboardGrid grid = make_grid(tables);
  REQUIRE(grid.columns.size() == 3);
  CHECK(grid.columns[0].title == "birds 2-way 1-shot, 5 queries, 3 episodes");
  for (const size_t c : {1, 2}) {
    CHECK(grid.columns[c].title == "birds 2-way 1-shot, 5 queries, 4 episodes, tasks " +
                                       tables[c].tasks.episodes_sha256.substr(0, 8));
  }
  CHECK(grid.rows.size() == 1);
  const std::string text = render_text(grid_document(grid, {}), false);
  CHECK(text.find("20.00 +-") != std::string::npos);  // three equal tasks
  CHECK(text.find("70.00 +- ") != std::string::npos);
}

TEST_CASE("the best of a column is bold, with all that cannot be told apart from it") {
  const TemporaryFolder results;
  const auto method = [](const char* name) { return Json{{"algorithm", {{"name", name}}}}; };
  write_on(results.path(), "birds",
           {.name = "high", .id = "000000000001", .right = around(8, 3), .spec = method("a")});
  write_on(results.path(), "birds",
           {.name = "like-high", .id = "000000000002", .right = around(8, 5), .spec = method("b")});
  write_on(results.path(), "birds",
           {.name = "low", .id = "000000000003", .right = around(4, 2), .spec = method("c")});
  write_on(results.path(), "cars",
           {.name = "low", .id = "000000000004", .right = around(4, 2), .spec = method("c")});
  const auto tables = tables_under(results.path());
  const TableDocument document = grid_document(make_grid(tables), {});
  const TableSection& section = document.sections.at(0);
  REQUIRE(section.columns.size() == 4);  // the last is for flags
  for (size_t r = 0; r < section.rows(); ++r) {
    const std::string& name = section.columns[0].cells[r].text;
    CAPTURE(name);
    CHECK(section.columns[1].cells[r].best == (name != "low"));
    // Alone in its column there is nothing to be better than.
    CHECK_FALSE(section.columns[2].cells[r].best);
    CHECK(section.columns[2].cells[r].text.empty() == (name != "low"));
  }
  const std::string latex = render_latex(document);
  const std::string low = section.columns[1].cells.back().text;
  CHECK(latex.find("low & " + low.substr(0, low.find(' ')) + " $\\pm$") != std::string::npos);
  CHECK(latex.find("high & \\textbf{") != std::string::npos);
}

TEST_CASE("kshot leaderboard --grid tells the same in all formats and in JSON") {
  const TemporaryFolder folder;
  const fs::path results = folder / "results";
  write_on(results, "birds", {.id = "000000000001"});
  write_on(results, "cars", {.id = "000000000002", .right = {9, 9, 9, 10}});
  for (const char* format : {"text", "md", "html", "tex"}) {
    CAPTURE(format);
    const test::Outcome outcome =
        test::kshot(folder.path(), {"leaderboard", "--grid", "--format", format});
    CHECK(outcome.code == 0);
    for (const char* cell : {"alpha", "birds 2-way 1-shot", "cars 2-way 1-shot", "70.00", "92.50"})
      CHECK(outcome.out.find(cell) != std::string::npos);
  }
  const Json grid = test::kshot(folder.path(), {"leaderboard", "--grid", "--json"}).json()["grid"];
  CHECK(grid["columns"][1]["title"] == "cars 2-way 1-shot");
  CHECK(grid["columns"][1]["tasks"]["data"] == "cars");
  REQUIRE(grid["rows"].size() == 1);
  CHECK(grid["rows"][0]["method"] == "alpha");
  const Json cell = grid["rows"][0]["cells"][1];
  CHECK(cell["column"] == 1);
  CHECK(cell["rank"] == 1);
  CHECK(cell["accuracy"]["mean"].get<double>() == doctest::Approx(0.925));
  CHECK_FALSE(test::kshot(folder.path(), {"leaderboard", "--json"}).json().contains("grid"));
}

}  // namespace kshot::leaderboard_grid_test
