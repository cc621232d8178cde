#include "experiments/sweep/time_estimate.h"

#include <chrono>
#include <functional>

#include "framework/run/outer_step.h"
#include "framework/run/prefetcher.h"

namespace kshot {
namespace {

/// Seconds of one round of `work(i)`, for i = 0, 1, ..: the first one warms up, then the mean of
/// those that fit into `seconds`, at least one. More than `most` would take longer than the whole
/// that is estimated.
double seconds_a_round(double seconds, int64_t most, const std::function<void(int64_t)>& work) {
  using Clock = std::chrono::steady_clock;
  work(0);
  const auto start = Clock::now();
  double spent = 0;
  int64_t rounds = 0;
  while (rounds == 0 || (rounds < most && spent < seconds)) {
    work(++rounds);
    spent = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return spent / static_cast<double>(rounds);
}

double seconds_a_step(TaskEngine& engine, const Experiment& experiment, const ParamList& weights,
                      double seconds) {
  const ExperimentSpec& spec = experiment.spec;
  const int64_t most = spec.train.iterations, end = most + 2;
  Optimizer optimizer(spec.optimizer, weights);
  Prefetcher feed(experiment.train, spec.train.meta_batch, experiment.compute.batched(), 0, end,
                  engine.threads() + 1);
  return seconds_a_round(seconds, most, [&](int64_t i) {
    const Context context{.iteration = i, .iterations = end, .training = true, .seed = spec.seed};
    TaskGradients learned = learn_tasks(engine, *experiment.algorithm, weights, feed.next(),
                                        context, experiment.compute);
    take_outer_step(learned, weights, optimizer, context, spec.train);
  });
}

double seconds_a_task(TaskEngine& engine, const Experiment& experiment, const ParamList& weights,
                      const TaskSource& source, int64_t all, double seconds) {
  const int64_t count = 2 * engine.threads();  // keeps every thread busy
  const double round = seconds_a_round(seconds, all / count, [&](int64_t) {
    evaluate(engine, *experiment.algorithm, weights, source, {.count = count}, experiment.compute);
  });
  return round / static_cast<double>(count);
}

}  // namespace

Pace measure_pace(TaskEngine& engine, const Experiment& experiment, double seconds) {
  const ParamList weights = fresh_weights(experiment);
  const EpisodesSpec& episodes = experiment.spec.episodes;
  Pace pace;
  pace.test_task = seconds_a_task(engine, experiment, weights, *experiment.test,
                                  episodes.test.count, seconds / 4);
  if (experiment.validation) {
    pace.validation_task = seconds_a_task(engine, experiment, weights, *experiment.validation,
                                          episodes.validation.count, seconds / 4);
  }
  // Last, as it changes the weights.
  if (experiment.learns())
    pace.iteration = seconds_a_step(engine, experiment, weights, seconds / 2);
  return pace;
}

double training_seconds(const Experiment& experiment, const Pace& pace) {
  const TrainOptions& train = experiment.spec.train;
  if (!experiment.learns()) return 0;
  const int64_t validations =
      experiment.validation ? (train.iterations + train.validate_every - 1) / train.validate_every
                            : 0;
  return static_cast<double>(train.iterations) * pace.iteration +
         static_cast<double>(validations * experiment.spec.episodes.validation.count) *
             pace.validation_task;
}

double test_seconds(const Experiment& experiment, const Pace& pace) {
  return static_cast<double>(experiment.spec.episodes.test.count) * pace.test_task;
}

}  // namespace kshot
