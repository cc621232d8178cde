#include "experiments/sweep/sweep_preview.h"

#include <algorithm>
#include <map>
#include <set>

#include "experiments/command_line.h"
#include "experiments/sweep/sweep_controller.h"
#include "experiments/sweep/time_estimate.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"

namespace kshot {
namespace {

std::string state_of(const SweepPlan& plan, const Trial& trial) {
  if (is_done(trial, SweepStage::test)) return "tested";
  if (is_done(trial, SweepStage::train)) return "trained";
  const auto failure = find_failure(plan, trial);
  if (failure && failure->diverged()) return "diverged";
  return trial.folder.started() ? "begun" : "";
}

/// Seconds of one trial.
struct Duration {
  double training = 0, test = 0;
};

/// Empty where the first steps diverge.
std::optional<Duration> measure(TaskEngine& engine, const Experiment& experiment, double seconds) {
  try {
    const Pace pace = measure_pace(engine, experiment, seconds);
    return Duration{training_seconds(experiment, pace), test_seconds(experiment, pace)};
  } catch (const Error& problem) {
    if (problem.code() != Exit::diverged) throw;
    return std::nullopt;
  }
}

/// A configuration's trials that are left, and one of them to measure.
struct Rest {
  const Trial* first = nullptr;
  int64_t count = 0;
};

/// The mean over the trials that stand behind the measured configurations.
Duration mean_duration(const SweepPlan& plan, const std::map<std::string, Rest>& rests,
                       const torch::Device& device, int threads, double seconds, bool quiet,
                       int64_t& measured) {
  constexpr int64_t kMeasured = 8;
  DatasetCache datasets;
  TaskEngine engine(threads);
  Progress progress("measuring", std::min(kMeasured, std::ssize(rests)), quiet);
  Duration sum;
  double trials = 0;
  for (const auto& [settings, rest] : rests) {
    if (measured == kMeasured) break;
    const auto one =
        measure(engine, open_trial(plan.spec, rest.first->settings, device, datasets), seconds);
    progress.update(++measured);
    if (!one) continue;
    const auto count = static_cast<double>(rest.count);
    trials += count;
    sum.training += count * one->training;
    sum.test += count * one->test;
  }
  if (trials == 0) return {};
  return {sum.training / trials, sum.test / trials};
}

/// Of all trials, or of one configuration's; both side by side.
double seconds_of_tests(const SweepPlan& plan, const SweepPreview& preview,
                        const SweepManner& manner) {
  if (manner.tests == "none") return 0;
  const auto all = static_cast<double>(plan.trials.size());
  const double trials =
      manner.tests == "all" ? all : all / static_cast<double>(preview.configurations);
  return trials * preview.test / std::min<double>(manner.jobs, trials);
}

std::string trials_text(const SweepPlan& plan, const SweepPreview& preview) {
  std::vector<std::vector<std::string>> rows{{"TRIAL", "RUN", "STATE", "SETTINGS"}};
  for (const Trial& trial : plan.trials) {
    rows.push_back({std::to_string(trial.index), trial.run_id,
                    preview.states[static_cast<size_t>(trial.index)],
                    settings_text(trial.settings)});
  }
  return text_table(rows);
}

}  // namespace

SweepPreview preview_sweep(const SweepPlan& plan, const torch::Device& device, int threads,
                           double seconds, bool quiet) {
  SweepPreview preview;
  std::set<std::string> configurations;
  std::map<std::string, Rest> rests;
  for (const Trial& trial : plan.trials) {
    const std::string settings = settings_json(trial.without_seed()).dump();
    configurations.insert(settings);
    preview.states.push_back(state_of(plan, trial));
    const std::string& state = preview.states.back();
    if (!state.empty() && state != "begun") continue;
    ++preview.left;
    Rest& rest = rests[settings];
    if (rest.count++ == 0) rest.first = &trial;
  }
  preview.configurations = std::ssize(configurations);
  const Duration mean =
      mean_duration(plan, rests, device, threads, seconds, quiet, preview.measured);
  preview.training = static_cast<double>(preview.left) * mean.training;
  preview.test = mean.test;
  return preview;
}

std::string preview_text(const SweepPlan& plan, const SweepPreview& preview,
                         const SweepManner& manner) {
  std::string text = trials_text(plan, preview) + "\n";
  text += fmt::format("{} trials of {} configurations; {} to be trained", plan.trials.size(),
                      preview.configurations, preview.left);
  if (plan.repeated > 0) text += fmt::format("; {} more come out as one of these", plan.repeated);
  text += fmt::format("\n{}\n", plan.folder.string());
  if (preview.measured == 0) return text;
  std::string test;
  if (manner.tests != "none") {
    test = fmt::format(" and {} for {}", clock_text(seconds_of_tests(plan, preview, manner)),
                       manner.tests == "all" ? "the tests" : "the test of one configuration");
  }
  return text + fmt::format("about {} for training{}, {} at a time (measured: {} of {})\n",
                            clock_text(preview.training / manner.jobs), test, manner.jobs,
                            preview.measured, preview.configurations);
}

Json preview_json(const SweepPlan& plan, const SweepPreview& preview, const SweepManner& manner) {
  Json trials = Json::array();
  for (const Trial& trial : plan.trials) {
    trials.push_back({{"index", trial.index},
                      {"edits", settings_json(trial.settings)},
                      {"run", trial.run_id},
                      {"state", preview.states[static_cast<size_t>(trial.index)]}});
  }
  return {{"schema", "kshot.sweep-preview/1"},
          {"id", plan.id},
          {"name", plan.name},
          {"folder", plan.folder.generic_string()},
          {"configurations", preview.configurations},
          {"left", preview.left},
          {"repeated", plan.repeated},
          {"seconds",
           {{"training", preview.training / manner.jobs},
            {"test", seconds_of_tests(plan, preview, manner)}}},
          {"trials", trials}};
}

}  // namespace kshot
