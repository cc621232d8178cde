#include "framework/run/trainer.h"

#include <chrono>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/evaluator.h"
#include "framework/run/metrics_log.h"
#include "framework/run/optimizer.h"
#include "framework/run/outer_step.h"
#include "framework/run/prefetcher.h"
#include "framework/run/score.h"
#include "framework/run/stop_signal.h"
#include "framework/run/tensorboard_log.h"
#include "framework/run/training_state.h"

namespace kshot {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Losses and accuracies of the steps since the last log line: tensors that nothing reads before
/// the line is due, or a checkpoint that has to carry their sums.
struct Window {
  std::vector<Tensor> losses, accuracies;

  /// Adds one value after the other in double: a sum that does not depend on where it was folded.
  static void fold(std::vector<Tensor>& values, double& sum, int64_t* count) {
    for (const Tensor& value : values) {
      const Tensor row = value.to(torch::kCPU, torch::kDouble);
      for (int64_t t = 0; t < row.numel(); ++t) sum += row[t].item<double>();
      if (count != nullptr) *count += row.numel();
    }
    values.clear();
  }
};

class Trainer {
 public:
  Trainer(TaskEngine& engine, const Training& training)
      : engine_(engine),
        training_(training),
        options_(training.options),
        kind_(training.train->kind()),
        checkpoints_(training.folder / "checkpoints"),
        weights_(fresh()) {
    optimizer_.emplace(training_.optimizer, weights_);
    make_folder(checkpoints_);
    if (training_.resume && has_checkpoint(checkpoints_, "last")) restore();
    const std::filesystem::path metrics = training_.folder / "metrics.jsonl";
    log_.emplace(metrics, state_.metrics_length);
    if (training_.tensorboard) tensorboard_.emplace(training_.folder / "tensorboard", metrics);
  }

  TrainingResult run() {
    if (state_.phase == "train") {
      if (!run_phase(training_.train, options_.iterations, validates())) return result(true);
      begin_next_phase();
    }
    if (state_.phase == "retrain") {
      const int64_t length = state_.best_iteration + *options_.retrain_extra;
      if (!run_phase(training_.retrain, length, false)) return result(true);
      state_.phase = "done";
      save("best");
      save("last");
    }
    return result(false);
  }

 private:
  ParamList fresh() const {
    return initial_weights(*training_.algorithm, training_.train->shapes(), training_.seed,
                           training_.compute);
  }

  bool validates() const { return training_.validation != nullptr && options_.validate_every > 0; }

  /// False if a signal stopped it.
  bool run_phase(const std::shared_ptr<const TaskSource>& source, int64_t iterations,
                 bool validating) {
    Prefetcher feed(source, options_.meta_batch, training_.compute.batched(), state_.iteration,
                    iterations, engine_.threads() + 1);
    Progress progress(state_.phase, iterations, training_.quiet);
    bool enough = validating &&
                  patience_ended();  // a kill may have come between the last validation and here
    if (validating && validation_due(iterations) && !validate(progress, enough)) return stop();
    while (state_.iteration < iterations && !enough) {
      if (stop_requested()) return stop();
      const auto start = Clock::now();
      learn(feed.next(), iterations);
      const double seconds = seconds_since(start);
      state_.learning_seconds += seconds;
      state_.seconds += seconds;
      ++state_.iteration;
      state_.tasks += options_.meta_batch;
      if (state_.iteration % training_.log_every == 0 || state_.iteration == iterations)
        log_training(iterations);
      progress.update(state_.iteration, training_note_ + validation_note_);
      // Where validations, which save, are frequent, once is enough. Else before a validation, too:
      // it may end a run as diverged.
      const bool rarely_saved = !validating || options_.validate_every > kSaveEvery;
      if (rarely_saved && state_.iteration % kSaveEvery == 0) save("last");
      if (validating && validation_due(iterations) && !validate(progress, enough)) return stop();
    }
    return true;
  }

  bool stop() {
    save("last");
    return false;
  }

  void learn(const MetaBatch& tasks, int64_t iterations) {
    const Context context{.iteration = state_.iteration,
                          .iterations = iterations,
                          .training = true,
                          .seed = training_.seed};
    TaskGradients learned =
        learn_tasks(engine_, *training_.algorithm, weights_, tasks, context, training_.compute);
    take_outer_step(learned, weights_, *optimizer_, context, options_);
    window_.losses.push_back(learned.losses.select(1, -1));
    if (kind_ == TaskKind::classification) window_.accuracies.push_back(learned.accuracy);
  }

  void log_training(int64_t iterations) {
    fold_window();
    const auto tasks = static_cast<double>(state_.window_tasks);
    const double loss = state_.window_loss / tasks, accuracy = state_.window_accuracy / tasks;
    state_.window_loss = state_.window_accuracy = 0;
    state_.window_tasks = 0;
    training_note_ = kind_ == TaskKind::classification
                         ? fmt::format("loss {:.4f}  accuracy {:.2f} %", loss, 100 * accuracy)
                         : score().told(loss);
    log({{"phase", state_.phase},
         {"iteration", state_.iteration},
         {"train", means_json(loss, accuracy)},
         {"lr", scheduled_lr(training_.optimizer.schedule, training_.optimizer.lr,
                             state_.iteration - 1, iterations)},
         {"time", {{"seconds", state_.seconds}, {"tasks_per_second", tasks_per_second()}}}});
  }

  void log(const Json& line) {
    log_->append(line);
    if (tensorboard_) tensorboard_->append(line);
  }

  bool validation_due(int64_t iterations) const {
    const bool at_mark =
        state_.iteration % options_.validate_every == 0 || state_.iteration == iterations;
    return state_.iteration > 0 && at_mark && state_.validated != state_.iteration;
  }

  /// False if a signal came in between; then this validation is done after the resume.
  bool validate(Progress& progress, bool& enough) {
    const auto start = Clock::now();
    const auto evaluation =
        evaluate(engine_, *training_.algorithm, weights_, *training_.validation,
                 {.count = training_.validation_tasks, .seed = training_.validation_seed},
                 training_.compute);
    state_.seconds += seconds_since(start);
    if (!evaluation) return false;
    const double accuracy = evaluation->accuracy.mean, loss = evaluation->loss.mean;
    const double value = score_summary(*evaluation).mean;
    state_.validated = state_.iteration;
    log({{"phase", state_.phase},
         {"iteration", state_.iteration},
         {"validation", means_json(loss, accuracy)},
         {"time", {{"seconds", state_.seconds}}}});
    const bool by_accuracy = kind_ == TaskKind::classification && options_.select_by == "accuracy";
    const bool better = by_accuracy ? !state_.best_accuracy || accuracy > *state_.best_accuracy
                                    : !state_.best_loss || loss < *state_.best_loss;
    state_.stale = better ? 0 : state_.stale + 1;
    if (better) {
      state_.best_iteration = state_.iteration;
      if (kind_ == TaskKind::classification) state_.best_accuracy = accuracy;
      state_.best_loss = loss;
      save("best");
    }
    rank(by_accuracy ? -accuracy : loss);
    validation_note_ = fmt::format("  validation {} (best {} at {})", score().told(value),
                                   score().number(best_value()), state_.best_iteration);
    progress.update(state_.iteration, training_note_ + validation_note_);
    enough = patience_ended();
    return true;
  }

  /// Saves what a validation led to. A model that left an ensemble goes last: until then a resume
  /// may need it.
  void rank(double value) {
    const bool ensemble = options_.ensemble > 1;
    if (ensemble && state_.ranking.enter(state_.iteration, value, options_.ensemble))
      save(model_name(state_.iteration));
    save("last");
    if (ensemble) remove_other_models(checkpoints_, state_.ranking.iterations);
  }

  const Score& score() const { return score_of(kind_); }

  /// The score at the best validation so far, of which there is one.
  double best_value() const { return state_.best_accuracy.value_or(*state_.best_loss); }

  /// A regression has no accuracy.
  Json means_json(double loss, double accuracy) const {
    if (kind_ == TaskKind::regression) return {{"loss", loss}};
    return {{"loss", loss}, {"accuracy", accuracy}};
  }

  bool patience_ended() const { return options_.patience > 0 && state_.stale >= options_.patience; }

  /// After the first phase: retrain from the start, or be done.
  void begin_next_phase() {
    const bool chosen = state_.best_loss.has_value();  // by a validation
    if (!chosen) state_.best_iteration = state_.iteration;
    if (options_.retrain_extra && training_.retrain) {
      state_.phase = "retrain";
      state_.iteration = state_.validated = 0;
      weights_ = fresh();
      optimizer_.emplace(training_.optimizer, weights_);
      fold_window();
      state_.window_loss = state_.window_accuracy = 0;
      state_.window_tasks = 0;
    } else {
      state_.phase = "done";
      if (!chosen) save("best");
    }
    save("last");
  }

  void fold_window() {
    Window::fold(window_.losses, state_.window_loss, &state_.window_tasks);
    Window::fold(window_.accuracies, state_.window_accuracy, nullptr);
  }

  /// Of "last" the one before stays: a resume takes it should the newest be damaged. A damaged
  /// model cannot be replaced by another one.
  void save(const std::string& name) {
    training_.check_inputs();
    fold_window();
    log_->flush();
    state_.metrics_length = log_->length();
    save_checkpoint(checkpoints_, name, {weights_, optimizer_->state(), write_config(state_)},
                    name == "last" ? Previous::keep : Previous::drop);
  }

  void restore() {
    const auto [checkpoint, warning] = load_latest(checkpoints_, "last", weights_);
    if (!warning.empty()) fmt::print(stderr, "kshot: warning: {}\n", warning);
    const std::string where = (checkpoints_ / "last.safetensors").string();
    for (size_t i = 0; i < weights_.size(); ++i) {
      Tensor value = weights_.at(i).value;
      value.copy_(checkpoint.weights.at(i).value);
    }
    optimizer_->load_state(checkpoint.optimizer, where);
    read_config(state_, checkpoint.state, where + ": state");
  }

  double tasks_per_second() const {
    return static_cast<double>(state_.tasks) / std::max(state_.learning_seconds, 1e-9);
  }

  TrainingResult result(bool stopped) {
    TrainingResult result;
    result.ensemble_iterations = state_.ranking.iterations;
    if (!stopped) {
      result.models =
          load_models(checkpoints_, state_.ranking.iterations, weights_, training_.compute);
    }
    result.iterations = state_.iteration;
    result.best_iteration = state_.best_iteration;
    result.best_validation_accuracy = state_.best_accuracy;
    result.best_validation_loss = state_.best_loss;
    result.seconds = state_.seconds;
    result.tasks_per_second = state_.tasks > 0 ? tasks_per_second() : 0;
    result.stopped = stopped;
    return result;
  }

  static constexpr int64_t kSaveEvery = 500;

  TaskEngine& engine_;
  const Training& training_;
  const TrainOptions& options_;
  TaskKind kind_;
  std::filesystem::path checkpoints_;
  ParamList weights_;
  std::optional<Optimizer> optimizer_;
  std::optional<MetricsLog> log_;
  std::optional<TensorboardLog> tensorboard_;
  TrainingState state_;
  Window window_;
  std::string training_note_, validation_note_;
};

}  // namespace

ParamList initial_weights(const Algorithm& algorithm, const Shapes& shapes, uint64_t seed,
                          const Compute& compute) {
  return algorithm.init(shapes, Stream(seed, Purpose::initialisation, 0))
      .to(compute.device, compute.dtype)
      .clone();
}

TrainingResult train(TaskEngine& engine, const Training& training) {
  return Trainer(engine, training).run();
}

}  // namespace kshot
