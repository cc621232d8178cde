// Regressions through the evaluator, the trainer and the record.
#include <cmath>
#include <limits>
#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/run/run_record.h"
#include "framework/run/score.h"
#include "framework/run/trainer.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted_curves.h"

namespace kshot::regression_test {

using test::ConstantRegressor;
using test::ScriptedCurves;

Evaluation evaluated(const Algorithm& algorithm, int64_t count) {
  TaskEngine engine(1);
  const ParamList weights = test::one_weight();
  const auto evaluation =
      evaluate(engine, algorithm, weights, ScriptedCurves(), {.count = count}, {});
  REQUIRE(evaluation.has_value());
  return *evaluation;
}

TEST_CASE("a task's score is the mean squared error of its queries, after each step: by hand") {
  // Task i asks for i. The answers are 3, then 1: errors (3-i)^2 and (1-i)^2 for i = 0, 1, 2, 3.
  const Evaluation evaluation = evaluated(ConstantRegressor({3, 1}), 4);
  CHECK(evaluation.kind == TaskKind::regression);
  CHECK(score_values(evaluation) == std::vector<double>{1, 0, 1, 4});
  CHECK(score_summary(evaluation).mean == 1.5);
  REQUIRE(evaluation.mse_by_step.size() == 2);
  CHECK(evaluation.mse_by_step[0].mean == 3.5);  // 9, 4, 1, 0
  CHECK(evaluation.mse_by_step[1].mean == 1.5);
  CHECK_FALSE(evaluation.ci95_classes.has_value());
  const RegressionAnswers& answers = *evaluation.episodes[2].regression;
  CHECK(answers.predictions == std::vector<double>{1, 1, 1});
  CHECK(answers.targets == std::vector<double>{2, 2, 2});
  CHECK(answers.mse_by_step == std::vector<double>{1, 1});
  CHECK(mean_squared_error(answers) == evaluation.episodes[2].loss);
}

TEST_CASE("an answer that is not finite ends the test, whichever step gave it") {
  const double infinite = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> wrong{{1, infinite}, {infinite, 1}};
  for (const std::vector<double>& steps : wrong) {
    const auto error = test::caught([&] { evaluated(ConstantRegressor(steps), 1); });
    REQUIRE(error);
    CHECK(error->code() == Exit::diverged);
  }
}

TEST_CASE("the error block of a record has the mean, its interval and the steps, and no accuracy") {
  const Json figures = figures_block(evaluated(ConstantRegressor({3, 1}), 4));
  CHECK_FALSE(figures.contains("accuracy"));
  const Json& error = figures.at("error");
  CHECK(error.at("mse").at("mean") == 1.5);
  CHECK(error.at("mse").at("std").get<double>() == doctest::Approx(std::sqrt(3.0)).epsilon(1e-12));
  CHECK(error.at("mse").contains("ci95_episodes"));
  REQUIRE(error.at("by_step").size() == 2);
  const Json& first = error.at("by_step").at(0);
  CHECK(first.at("step") == 0);
  CHECK(first.at("mean") == 3.5);
  CHECK(first.size() == 3);
  CHECK(first.contains("ci95_episodes"));
  CHECK(figures.at("loss").at("mean") == 1.5);
}

TEST_CASE("a regression's line comes back to the last bit") {
  EpisodeOutcome before;
  before.plan.index = 7;
  before.plan.outputs = 1;
  before.plan.support = {0};
  before.plan.query = {1, 2};
  before.plan.values = {0.1, 1.0 / 3, -5};
  before.regression = RegressionAnswers{{0.1 + 0.2, 1e-30}, {1, -2.5}, {1.0 / 7, 0.1}};
  before.loss = 0.1;
  const EpisodeOutcome after =
      outcome_from_json(Json::parse(outcome_to_json(before).dump()), "LINE");
  CHECK(after.plan == before.plan);
  CHECK(after.loss == before.loss);
  REQUIRE(after.regression.has_value());
  CHECK(after.regression->predictions == before.regression->predictions);
  CHECK(after.regression->targets == before.regression->targets);
  CHECK(after.regression->mse_by_step == before.regression->mse_by_step);
}

TEST_CASE("outcomes of different kinds, or with other steps, are not summed up") {
  Evaluation evaluation = evaluated(ConstantRegressor({3, 1}), 2);
  evaluation.episodes[1].regression->mse_by_step.push_back(0);
  CHECK(test::caught([&] { summarise(evaluation, {}); })->code() == Exit::bad_data);
  evaluation.episodes[1].regression.reset();
  CHECK(test::caught([&] { summarise(evaluation, {}); })->code() == Exit::bad_data);
}

/// Two iterations with a validation after each.
TrainingResult trained(const Algorithm& algorithm, const test::TemporaryFolder& folder,
                       const std::string& task_mode) {
  Training training;
  training.algorithm = &algorithm;
  training.train = std::make_shared<ScriptedCurves>();
  training.validation = std::make_shared<ScriptedCurves>();
  training.validation_tasks = 4;
  training.options.iterations = 2;
  training.options.meta_batch = 3;
  training.options.validate_every = 1;
  training.compute.task_mode = task_mode;
  training.log_every = 1;
  training.folder = folder.path();
  training.quiet = true;
  TaskEngine engine(2);
  return train(engine, training);
}

TEST_CASE("training on regressions logs losses alone, and chooses by them") {
  for (const std::string mode : {"threads", "batched"}) {
    const test::TemporaryFolder folder;
    const TrainingResult result = trained(ConstantRegressor({3, 1}), folder, mode);
    CHECK_FALSE(result.best_validation_accuracy.has_value());
    REQUIRE(result.best_validation_loss.has_value());
    CHECK(*result.best_validation_loss == 1.5);
    CHECK(result.best_iteration == 1);  // the second validation is not better
    std::istringstream text(read_file(folder / "metrics.jsonl"));
    int64_t lines = 0;
    for (std::string line; std::getline(text, line); ++lines) {
      const Json json = Json::parse(line);
      if (json.contains("train")) CHECK(json["train"] == Json{{"loss", 2.0}});
      if (json.contains("validation")) CHECK(json["validation"] == Json{{"loss", 1.5}});
    }
    CHECK(lines == 4);
  }
}

}  // namespace kshot::regression_test
