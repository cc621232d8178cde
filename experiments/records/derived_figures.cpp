#include "experiments/records/derived_figures.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "framework/base/error.h"
#include "framework/run/score.h"

namespace kshot {
namespace {

/// Intervals go through a quantile that another compiler may round differently in the last digits.
constexpr double kTolerance = 1e-9;

/// The tasks of a record, for their hash; there are no pixels to load.
class RecordedTasks final : public TaskSource {
 public:
  RecordedTasks(const std::vector<EpisodeOutcome>& outcomes, const std::vector<TaskClass>& classes)
      : outcomes_(outcomes), classes_(classes) {}

  TaskPlan plan(uint64_t index) const override { return outcomes_.at(index).plan; }
  Episodes load(std::span<const TaskPlan>) const override {
    throw Error(Exit::internal, "a record holds no pixels");
  }
  Shapes shapes() const override { return {}; }
  const std::vector<TaskClass>& classes() const override { return classes_; }

 private:
  const std::vector<EpisodeOutcome>& outcomes_;
  const std::vector<TaskClass>& classes_;
};

int64_t count(const auto& list) { return static_cast<int64_t>(list.size()); }

/// What a line states of its task must be what its predictions give.
void check_score(const EpisodeOutcome& outcome, const char* name, double stated, double derived) {
  if (std::abs(stated - derived) <= kTolerance * std::max(1.0, std::abs(derived))) return;
  throw Error(Exit::bad_data, "episode {} states {} {:.6g}, its predictions give {:.6g}",
              outcome.plan.index, name, stated, derived);
}

bool classification_fits(const EpisodeOutcome& outcome, const TaskDefinition& tasks,
                         size_t classes) {
  const TaskPlan& plan = outcome.plan;
  const auto known = [&](int64_t c) { return c >= 0 && c < static_cast<int64_t>(classes); };
  return plan.outputs == tasks.way && count(plan.classes) == tasks.way &&
         std::all_of(plan.classes.begin(), plan.classes.end(), known) &&
         count(plan.support) == tasks.way * tasks.shot &&
         count(plan.query) == tasks.way * tasks.query &&
         count(plan.query_labels) == count(plan.query) &&
         count(outcome.predictions) == count(plan.query);
}

bool regression_fits(const EpisodeOutcome& outcome, const TaskDefinition& tasks) {
  const TaskPlan& plan = outcome.plan;
  const RegressionAnswers& answers = *outcome.regression;
  return count(plan.support) == tasks.shot && count(plan.query) == tasks.query &&
         count(answers.predictions) == tasks.query * plan.outputs &&
         count(answers.targets) == count(answers.predictions) && !answers.targets.empty() &&
         !answers.mse_by_step.empty();
}

void check_accuracy(const EpisodeOutcome& outcome) {
  int64_t right = 0;
  for (size_t i = 0; i < outcome.predictions.size(); ++i)
    right += outcome.predictions[i] == outcome.plan.query_labels[i];
  const double accuracy =
      right == 0 ? 0 : static_cast<double>(right) / static_cast<double>(outcome.predictions.size());
  check_score(outcome, "accuracy", outcome.accuracy, accuracy);
}

void check_error(const EpisodeOutcome& outcome) {
  check_score(outcome, "mse", outcome.loss, mean_squared_error(*outcome.regression));
  check_score(outcome, "mse of the last step", outcome.regression->mse_by_step.back(),
              outcome.loss);
}

/// Checks one line in itself: a task of the stated shape, and a score that its predictions give.
void check_line(const EpisodeOutcome& outcome, const TaskDefinition& tasks, size_t classes) {
  const bool regression = outcome.regression.has_value();
  const bool fits =
      regression == (tasks.kind == TaskKind::regression) &&
      (regression ? regression_fits(outcome, tasks) : classification_fits(outcome, tasks, classes));
  if (!fits)
    throw Error(Exit::bad_data, "episode {} is not a task of the shape that result.json states",
                outcome.plan.index);
  if (regression) {
    check_error(outcome);
  } else {
    check_accuracy(outcome);
  }
}

/// "mean" -> value, "by_step.0.mean" -> value.
std::map<std::string, Json> figures_in(const Json& block) {
  std::map<std::string, Json> figures;
  const Json flat = block.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string path = pointer.empty() ? pointer : pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    figures[path] = value;
  }
  return figures;
}

/// Every figure of `derived` must stand in `stated`, and no other.
void check_block(const std::string& name, const Json& derived_block, const Json& stated_block) {
  auto derived = figures_in(derived_block), stated = figures_in(stated_block);
  for (const auto& [key, value] : derived) {
    const double expected = value;
    if (!stated.contains(key) || !stated[key].is_number()) {
      throw Error(Exit::bad_data, "result.json has no {}.{}; the episode lines give {:.6g}", name,
                  key, expected);
    }
    const double found = stated[key];
    if (!(std::abs(found - expected) <= kTolerance * std::max(1.0, std::abs(expected)))) {
      throw Error(Exit::bad_data,
                  "result.json states {}.{} = {:.6g}, the episode lines give {:.6g}", name, key,
                  found, expected);
    }
  }
  for (const auto& [key, value] : stated) {
    if (!derived.contains(key)) {
      throw Error(Exit::bad_data, "result.json states {}.{}, which the episode lines do not give",
                  name, key);
    }
  }
}

}  // namespace

Evaluation derive_figures(const TaskDefinition& tasks, const Json& stated_test,
                          std::vector<EpisodeOutcome> lines,
                          const std::vector<TaskClass>& classes) {
  if (lines.empty() || static_cast<int64_t>(lines.size()) != tasks.episodes) {
    throw Error(Exit::bad_data, "result.json states {} episodes, there are {} lines",
                tasks.episodes, lines.size());
  }
  for (const EpisodeOutcome& line : lines) check_line(line, tasks, classes.size());
  Evaluation evaluation;
  evaluation.episodes = std::move(lines);
  evaluation.episodes_sha256 =
      plans_sha256(RecordedTasks(evaluation.episodes, classes), tasks.episodes);
  if (evaluation.episodes_sha256 != tasks.episodes_sha256) {
    throw Error(Exit::bad_data, "the episode lines hold other tasks than episodes_sha256 says");
  }
  summarise(evaluation, classes);
  const Json figures = figures_block(evaluation);
  for (const auto& [name, block] : figures.items()) check_block(name, block, stated_test.at(name));
  return evaluation;
}

}  // namespace kshot
