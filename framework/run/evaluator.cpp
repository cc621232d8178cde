#include "framework/run/evaluator.h"

#include "framework/base/error.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

EpisodeOutcome outcome_of(const Tensor& logits, const Tensor& targets, TaskPlan plan) {
  const torch::NoGradGuard no_grad;
  if (!torch::isfinite(logits).all().item<bool>()) {
    throw Error(Exit::diverged,
                "test task {}: the logits are not finite; the weights have diverged", plan.index);
  }
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

EpisodeOutcome test_on(const Algorithm& algorithm, const ParamList& weights,
                       const TaskSource& source, int64_t i, uint64_t seed, const Compute& compute) {
  const TaskPlan plan = source.plan(static_cast<uint64_t>(i));
  const Episodes task = source.load(std::span(&plan, 1)).to(compute.device, compute.dtype);
  const std::vector<uint64_t> index{plan.index};
  const Context context{.seed = seed, .tasks = index};
  Shapes shapes = source.shapes();
  shapes.outputs = plan.outputs;
  const auto learner = algorithm.adapt(weights, task.support, shapes, context);
  const torch::NoGradGuard no_grad;
  return outcome_of(learner->logits(task.query.inputs), task.query.targets, plan);
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

void summarise(Evaluation& evaluation, const std::vector<TaskClass>& classes) {
  std::vector<double> accuracies, losses;
  for (const EpisodeOutcome& episode : evaluation.episodes) {
    accuracies.push_back(episode.accuracy);
    losses.push_back(episode.loss);
  }
  evaluation.accuracy = summarize(accuracies);
  evaluation.loss = summarize(losses);
  const auto lists = source_lists(evaluation.episodes, classes);
  evaluation.ci95_classes = class_interval(accuracies, lists, evaluation.episodes[0].plan.outputs);
}

std::optional<Evaluation> evaluate(TaskEngine& engine, const Algorithm& algorithm,
                                   const ParamList& weights, const TaskSource& source,
                                   const EvaluationRequest& request, const Compute& compute) {
  Evaluation evaluation;
  bool stopped = false;
  engine.run<EpisodeOutcome>(
      request.count, /*intra_op_threads=*/1,
      [&](int64_t i) {
        return stop_requested() ? EpisodeOutcome{}
                                : test_on(algorithm, weights, source, i, request.seed, compute);
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

}  // namespace kshot
