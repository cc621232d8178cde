// The table that ends a sweep: seeds pooled, the best by validation, never by test.
#include "experiments/sweep/sweep_table.h"

#include <cmath>

#include "experiments/sweep/trial_failure.h"
#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"

namespace kshot::sweep_table_test {

using test::TemporaryFolder;

/// A plan of trials whose runs are written by hand.
class Sweep {
 public:
  explicit Sweep(TaskKind kind = TaskKind::classification) : kind_(kind) {
    plan_.name = "tiny";
    plan_.folder = folder_ / "sweep";
    make_folder(plan_.file("failures"));
  }

  Sweep& add(const std::string& setting, int64_t seed, const Json& validation, int64_t way = 5) {
    const auto index = static_cast<int64_t>(plan_.trials.size());
    const RunFolder run(folder_ / std::to_string(index));
    make_folder(run.path());
    plan_.trials.push_back(
        {.index = index,
         .settings = {{"seed", seed}, {"backbone.channels", setting}},
         .run_id = std::to_string(index),
         .folder = run,
         .validation_tasks =
             {{"data", "toys"}, {"way", way}, {"shot", 1}, {"query", 15}, {"count", 100}},
         .kind = kind_});
    if (!validation.is_null()) run.write("validation.json", validation);
    return *this;
  }

  Sweep& tested(double mean) {
    const Json figures = kind_ == TaskKind::regression
                             ? Json{{"error", {{"mse", {{"mean", mean}}}}}}
                             : Json{{"accuracy", {{"mean", mean}}}};
    plan_.trials.back().folder.write("result.json", {{"test", figures}});
    return *this;
  }

  Sweep& failed(const char* stage, Exit exit) {
    write_failure(plan_, plan_.trials.back(),
                  {.stage = stage, .exit = static_cast<int64_t>(exit), .message = "loss is nan"});
    return *this;
  }

  std::vector<SweepTable> tables() const { return make_sweep_tables(plan_); }
  const SweepPlan& plan() const { return plan_; }

 private:
  TemporaryFolder folder_;
  SweepPlan plan_;
  TaskKind kind_;
};

Json score(double accuracy, double loss = 1) {
  return {{"accuracy", accuracy}, {"loss", loss}, {"iteration", 10}, {"iterations", 20}};
}

std::vector<std::string> order(const SweepTable& table) {
  std::vector<std::string> names;
  for (const Configuration& configuration : table.configurations)
    names.push_back(value_text(configuration.settings[0].value));
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("seeds are pooled; the mean validation score chooses, whatever the tests say") {
  Sweep sweep;
  sweep.add("a", 1, score(0.5)).tested(0.9).add("a", 2, score(0.6)).tested(0.9);
  sweep.add("b", 1, score(0.7)).tested(0.1).add("b", 2, score(0.5)).tested(0.3);
  const auto tables = sweep.tables();
  REQUIRE(tables.size() == 1);
  CHECK(order(tables[0]) == Names{"b", "a"});
  const Configuration& best = tables[0].configurations[0];
  CHECK(best.chosen);
  CHECK_FALSE(tables[0].configurations[1].chosen);
  CHECK(best.validation->mean == doctest::Approx(0.6));
  CHECK(*best.validation->std == doctest::Approx(0.1 * std::sqrt(2)));  // of 0.7 and 0.5, n - 1
  CHECK(best.test->mean == doctest::Approx(0.2));
  const auto chosen = chosen_trials(tables);
  REQUIRE(chosen.size() == 2);
  CHECK((chosen[0]->index == 2 && chosen[1]->index == 3));
}

TEST_CASE("a configuration that lacks a seed is not chosen, however good the others are") {
  Sweep sweep;
  sweep.add("diverges", 1, score(0.99)).add("diverges", 2, Json()).failed("train", Exit::diverged);
  sweep.add("waits", 1, score(0.98)).add("waits", 2, Json());
  sweep.add("whole", 1, score(0.5)).add("whole", 2, score(0.5));
  const auto table = sweep.tables()[0];
  CHECK(order(table) == Names{"whole", "diverges", "waits"});
  CHECK(table.configurations[0].chosen);
  CHECK(table.configurations[1].problems == Names{"1 diverged"});
  CHECK(table.configurations[2].problems == Names{"1 not trained"});
  const std::string text = sweep_text(sweep.plan(), {table});
  CHECK(text.find("1 diverged") != std::string::npos);
}

TEST_CASE("of equal accuracies the lower loss comes first, then the earlier trial") {
  Sweep sweep;
  sweep.add("a", 1, score(0.5, 0.9)).add("b", 1, score(0.5, 0.8)).add("c", 1, score(0.5, 0.9));
  CHECK(order(sweep.tables()[0]) == Names{"b", "a", "c"});
}

TEST_CASE("regressions are chosen by the lower loss") {
  Sweep sweep(TaskKind::regression);
  sweep.add("a", 1, {{"loss", 0.9}}).add("b", 1, {{"loss", 0.3}}).tested(0.4);
  const auto tables = sweep.tables();
  CHECK(order(tables[0]) == Names{"b", "a"});
  CHECK(tables[0].configurations[0].test->mean == 0.4);
  const std::string text = sweep_text(sweep.plan(), tables);
  CHECK(text.find("validation mse 0.3, test mse 0.4") != std::string::npos);
}

TEST_CASE("scores on other validation tasks are never compared: a table and a choice for each") {
  Sweep sweep;
  sweep.add("a", 1, score(0.9), 5).add("b", 1, score(0.8), 5);
  sweep.add("a", 1, score(0.3), 20).add("b", 1, score(0.4), 20);
  const auto tables = sweep.tables();
  REQUIRE(tables.size() == 2);
  CHECK(order(tables[0]) == Names{"a", "b"});
  CHECK(order(tables[1]) == Names{"b", "a"});
  CHECK(chosen_trials(tables).size() == 2);
}

TEST_CASE("where nothing was validated nothing is chosen, and that is said") {
  Sweep sweep;
  sweep.add("a", 1, {{"iterations", 20}});
  const auto tables = sweep.tables();
  CHECK(chosen_trials(tables).empty());
  const std::string text = sweep_text(sweep.plan(), tables);
  CHECK(text.find("1 without validation") != std::string::npos);
  CHECK(text.find("None is chosen") != std::string::npos);
}

TEST_CASE("the JSON holds every trial with its settings, run, score and failure") {
  Sweep sweep;
  sweep.add("a", 1, score(0.5)).tested(0.6).add("a", 2, Json()).failed("train", Exit::diverged);
  const Json json = sweep_json(sweep.plan(), sweep.tables());
  CHECK(json["schema"] == "kshot.sweep/1");
  CHECK(json["trials"] == 2);
  const Json& table = json["tables"][0];
  CHECK(table["score"] == "accuracy");
  const Json& row = table["configurations"][0];
  CHECK(row["edits"] == Json{{"backbone.channels", "a"}});
  CHECK(row["validation"] == Json{{"mean", 0.5}, {"seeds", 1}});
  CHECK(row["chosen"] == false);
  CHECK(row["trials"][0]["edits"] == Json{{"backbone.channels", "a"}, {"seed", 1}});
  CHECK(row["trials"][0]["validation"]["accuracy"] == 0.5);
  CHECK(row["trials"][0]["tested"] == true);
  CHECK(row["trials"][1]["failure"] ==
        Json{{"stage", "train"}, {"exit", 76}, {"message", "loss is nan"}});
}

}  // namespace kshot::sweep_table_test
