#include "framework/run/outcome.h"

#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

Json classification_line(const EpisodeOutcome& outcome) {
  const TaskPlan& plan = outcome.plan;
  return {{"index", plan.index},
          {"outputs", plan.outputs},
          {"classes", plan.classes},
          {"support", plan.support},
          {"support_labels", plan.support_labels},
          {"query", plan.query},
          {"query_labels", plan.query_labels},
          {"predictions", outcome.predictions},
          {"accuracy", outcome.accuracy},
          {"loss", outcome.loss}};
}

Json regression_line(const EpisodeOutcome& outcome) {
  const TaskPlan& plan = outcome.plan;
  return {{"index", plan.index},
          {"outputs", plan.outputs},
          {"values", plan.values},
          {"support", plan.support},
          {"query", plan.query},
          {"predictions", outcome.regression->predictions},
          {"targets", outcome.regression->targets},
          {"mse", outcome.loss},
          {"mse_by_step", outcome.regression->mse_by_step}};
}

void read_classification(const Json& line, EpisodeOutcome& outcome) {
  line.at("classes").get_to(outcome.plan.classes);
  line.at("support_labels").get_to(outcome.plan.support_labels);
  line.at("query_labels").get_to(outcome.plan.query_labels);
  line.at("predictions").get_to(outcome.predictions);
  line.at("accuracy").get_to(outcome.accuracy);
  line.at("loss").get_to(outcome.loss);
}

void read_regression(const Json& line, EpisodeOutcome& outcome) {
  RegressionAnswers& answers = outcome.regression.emplace();
  line.at("values").get_to(outcome.plan.values);
  line.at("predictions").get_to(answers.predictions);
  line.at("targets").get_to(answers.targets);
  line.at("mse").get_to(outcome.loss);
  line.at("mse_by_step").get_to(answers.mse_by_step);
}

}  // namespace

double mean_squared_error(const RegressionAnswers& answers) {
  TORCH_CHECK(answers.predictions.size() == answers.targets.size(), "predictions of ",
              answers.predictions.size(), " numbers, targets of ", answers.targets.size());
  double sum = 0;
  for (size_t i = 0; i < answers.targets.size(); ++i) {
    const double error = answers.predictions[i] - answers.targets[i];
    sum += error * error;
  }
  return sum / static_cast<double>(answers.targets.size());
}

Json outcome_to_json(const EpisodeOutcome& outcome) {
  return outcome.regression ? regression_line(outcome) : classification_line(outcome);
}

EpisodeOutcome outcome_from_json(const Json& line, const std::string& where) {
  try {
    EpisodeOutcome outcome;
    line.at("index").get_to(outcome.plan.index);
    line.at("outputs").get_to(outcome.plan.outputs);
    line.at("support").get_to(outcome.plan.support);
    line.at("query").get_to(outcome.plan.query);
    if (line.contains("mse")) {
      read_regression(line, outcome);
    } else {
      read_classification(line, outcome);
    }
    return outcome;
  } catch (const Json::exception& problem) {
    throw Error(Exit::bad_data, "{}: not an episode line: {}", where, problem.what());
  }
}

std::string outcomes_text(const std::vector<EpisodeOutcome>& outcomes) {
  std::string text;
  for (const EpisodeOutcome& outcome : outcomes) text += outcome_to_json(outcome).dump() + "\n";
  return text;
}

std::vector<EpisodeOutcome> read_outcomes(const std::filesystem::path& path) {
  std::vector<EpisodeOutcome> outcomes;
  std::istringstream text(read_file(path));
  std::string line;
  while (std::getline(text, line)) {
    const std::string where = fmt::format("{}:{}", path.string(), outcomes.size() + 1);
    outcomes.push_back(outcome_from_json(parse_strict(line).value, where));
  }
  return outcomes;
}

}  // namespace kshot
