#include "framework/run/evaluator.h"

#include "framework/base/error.h"
#include "framework/run/ensemble.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

void check_finite(const Tensor& outputs, const TaskPlan& plan) {
  if (torch::isfinite(outputs).all().item<bool>()) return;
  throw Error(Exit::diverged, "test task {}: the logits are not finite; the weights have diverged",
              plan.index);
}

EpisodeOutcome classified(const Tensor& logits, const Tensor& targets, TaskPlan plan) {
  check_finite(logits, plan);
  EpisodeOutcome outcome;
  outcome.plan = std::move(plan);
  const Tensor predicted = logits.argmax(-1).to(torch::kCPU).contiguous();
  outcome.predictions.assign(predicted.data_ptr<int64_t>(),
                             predicted.data_ptr<int64_t>() + predicted.numel());
  int64_t right = 0;
  for (size_t i = 0; i < outcome.predictions.size(); ++i) {
    right += outcome.predictions[i] == outcome.plan.query_labels[i];
  }
  if (!outcome.predictions.empty()) {
    outcome.accuracy = static_cast<double>(right) / static_cast<double>(outcome.predictions.size());
    outcome.loss = task_cross_entropy(logits, targets).item<double>();
  }
  return outcome;
}

std::vector<double> numbers_of(const Tensor& values) {
  const Tensor row = values.to(torch::kCPU, torch::kDouble).contiguous();
  return {row.data_ptr<double>(), row.data_ptr<double>() + row.numel()};
}

/// The last step's outputs are the predictions.
EpisodeOutcome regressed(const std::vector<Tensor>& outputs_by_step, const Tensor& targets,
                         TaskPlan plan) {
  EpisodeOutcome outcome;
  RegressionAnswers answers;
  answers.targets = numbers_of(targets);
  for (const Tensor& outputs : outputs_by_step) {
    check_finite(outputs, plan);
    answers.predictions = numbers_of(outputs);
    answers.mse_by_step.push_back(mean_squared_error(answers));
  }
  outcome.plan = std::move(plan);
  outcome.loss = answers.mse_by_step.back();
  outcome.regression = std::move(answers);
  return outcome;
}

EpisodeOutcome test_on(const Algorithm& algorithm, std::span<const ParamList> models,
                       const TaskSource& source, int64_t i, uint64_t seed, const Compute& compute) {
  const TaskPlan plan = source.plan(static_cast<uint64_t>(i));
  const Episodes task = source.load(std::span(&plan, 1)).to(compute.device, compute.dtype);
  const std::vector<uint64_t> index{plan.index};
  const Context context{.seed = seed, .tasks = index};
  Shapes shapes = source.shapes();
  shapes.outputs = plan.outputs;
  const auto learner = adapt_together(algorithm, models, task.support, shapes, context);
  const torch::NoGradGuard no_grad;
  const Tensor &query = task.query.inputs, &targets = task.query.targets;
  return source.kind() == TaskKind::regression
             ? regressed(learner->logits_by_step(query), targets, plan)
             : classified(learner->logits(query), targets, plan);
}

}  // namespace

std::vector<std::vector<int64_t>> source_lists(const std::vector<EpisodeOutcome>& episodes,
                                               const std::vector<TaskClass>& classes) {
  std::vector<std::vector<int64_t>> lists;
  lists.reserve(episodes.size());
  for (const EpisodeOutcome& episode : episodes) {
    std::vector<int64_t>& list = lists.emplace_back();
    for (const int64_t c : episode.plan.classes)
      list.push_back(classes.at(static_cast<size_t>(c)).source);
  }
  return lists;
}

namespace {

std::vector<double> losses_of(const std::vector<EpisodeOutcome>& episodes) {
  std::vector<double> losses;
  for (const EpisodeOutcome& episode : episodes) losses.push_back(episode.loss);
  return losses;
}

void summarise_classification(Evaluation& evaluation, const std::vector<TaskClass>& classes) {
  std::vector<double> accuracies;
  for (const EpisodeOutcome& episode : evaluation.episodes) accuracies.push_back(episode.accuracy);
  evaluation.accuracy = summarize(accuracies);
  const auto lists = source_lists(evaluation.episodes, classes);
  evaluation.ci95_classes = class_interval(accuracies, lists, evaluation.episodes[0].plan.outputs);
}

void summarise_steps(Evaluation& evaluation) {
  const size_t steps = evaluation.episodes[0].regression->mse_by_step.size();
  std::vector<std::vector<double>> by_step(steps);
  for (const EpisodeOutcome& episode : evaluation.episodes) {
    if (episode.regression->mse_by_step.size() != steps) {
      throw Error(Exit::bad_data, "episode {} has {} steps, the first one {}", episode.plan.index,
                  episode.regression->mse_by_step.size(), steps);
    }
    for (size_t k = 0; k < steps; ++k) by_step[k].push_back(episode.regression->mse_by_step[k]);
  }
  evaluation.mse_by_step.clear();
  for (const auto& values : by_step) evaluation.mse_by_step.push_back(summarize(values));
}

}  // namespace

void summarise(Evaluation& evaluation, const std::vector<TaskClass>& classes) {
  const std::vector<EpisodeOutcome>& episodes = evaluation.episodes;
  const bool regression = !episodes.empty() && episodes[0].regression.has_value();
  for (const EpisodeOutcome& episode : episodes) {
    if (episode.regression.has_value() != regression)
      throw Error(Exit::bad_data, "episode {} is of another kind than the first one",
                  episode.plan.index);
  }
  evaluation.kind = regression ? TaskKind::regression : TaskKind::classification;
  evaluation.loss = summarize(losses_of(episodes));
  if (regression) {
    summarise_steps(evaluation);
  } else {
    summarise_classification(evaluation, classes);
  }
}

std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   std::span<const ParamList> models, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute) {
  Evaluation evaluation;
  bool stopped = false;
  engine.run<EpisodeOutcome>(
      request.count, /*intra_op_threads=*/1,
      [&](int64_t i) {
        return stop_requested() ? EpisodeOutcome{}
                                : test_on(algorithm, models, source, i, request.seed, compute);
      },
      [&](int64_t i, EpisodeOutcome outcome) {
        stopped = stopped || outcome.plan.outputs == 0;
        evaluation.episodes.push_back(std::move(outcome));
        if (request.progress) request.progress(i + 1);
      });
  if (stopped) return std::nullopt;
  evaluation.episodes_sha256 = plans_sha256(source, request.count);
  summarise(evaluation, source.classes());
  return evaluation;
}

std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   const ParamList& weights, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute) {
  return evaluate(engine, algorithm, std::span(&weights, 1), source, request, compute);
}

}  // namespace kshot
