// kshot sweep: many trainings of one spec, chosen among by validation.
#include <algorithm>

#include "experiments/commands.h"
#include "experiments/sweep/slurm_file.h"
#include "experiments/sweep/sweep_controller.h"
#include "experiments/sweep/sweep_preview.h"
#include "experiments/sweep/sweep_table.h"
#include "framework/base/atomic_file.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

/// The value of an option that holds a whole number. Throws Error(bad_spec) outside of the bounds.
int number_in(const Arguments& arguments, const char* name, int low, int high) {
  const int value = arguments[name].as<int>();
  if (value < low || value > high)
    throw Error(Exit::bad_spec, "--{} is {}, expected {} to {}", name, value, low, high);
  return value;
}

ControllerOptions controller_options(const Arguments& arguments) {
  if (flag(arguments, "fail-fast") && flag(arguments, "keep-going"))
    throw Error(Exit::bad_spec, "--fail-fast and --keep-going exclude each other");
  const int jobs = number_in(arguments, "jobs", 1, 1024);
  return {.jobs = jobs,
          .threads = std::max(1, threads_of(arguments) / jobs),
          .retries = number_in(arguments, "retry", 0, 1000),
          .fail_fast = flag(arguments, "fail-fast"),
          .quiet = flag(arguments, "quiet"),
          .device = arguments["device"].as<std::string>()};
}

std::string tests_of(const Arguments& arguments) {
  const auto tests = arguments["test"].as<std::string>();
  const std::vector<std::string> known{"chosen", "all", "none"};
  if (std::find(known.begin(), known.end(), tests) == known.end()) {
    throw Error(Exit::bad_spec, "--test is \"{}\", expected chosen, all or none{}", tests,
                did_you_mean(tests, known));
  }
  return tests;
}

std::vector<const Trial*> all_trials(const SweepPlan& plan) {
  std::vector<const Trial*> trials;
  for (const Trial& trial : plan.trials) trials.push_back(&trial);
  return trials;
}

int code_of(Exit exit) { return static_cast<int>(exit); }

/// Trials that use more threads than they have wait for each other at every operation: a ProtoNet
/// of small episodes takes three times as long.
void warn_of_waiting(const SweepPlan& plan, const torch::Device& device,
                     const ControllerOptions& options) {
  if (options.quiet || options.jobs == 1 || !device.is_cpu()) return;
  if (plan.intra_op_threads <= options.threads) return;
  fmt::print(
      stderr,
      "kshot: note: {} trials side by side have {} thread{} each, but train.intra_op_threads "
      "is {}: set it to {} (it is part of the run id) or run them one after the other\n",
      options.jobs, options.threads, options.threads == 1 ? "" : "s", plan.intra_op_threads,
      options.threads);
}

int stopped_by_signal(const SweepPlan& plan) {
  fmt::print(stderr, "kshot: stopped by a signal; the same command goes on in {}\n",
             plan.folder.string());
  return code_of(Exit::stopped);
}

int preview(const SweepPlan& plan, const torch::Device& device, const ControllerOptions& options,
            const std::string& tests, bool as_json) {
  const SweepManner manner{.jobs = options.jobs, .tests = tests};
  constexpr double kSeconds = 2;  // of measuring each configuration
  const SweepPreview seen = preview_sweep(plan, device, options.threads, kSeconds, options.quiet);
  if (as_json) {
    fmt::print("{}\n", preview_json(plan, seen, manner).dump(1));
  } else {
    fmt::print("{}", preview_text(plan, seen, manner));
  }
  return 0;
}

int write_slurm_file(const SweepPlan& plan, const torch::Device& device,
                     const ControllerOptions& options, const Arguments& arguments) {
  SlurmOptions slurm{.device = device_kind(device), .threads = options.threads};
  if (!arguments["jobs"].defaulted()) slurm.at_a_time = options.jobs;
  const auto path = arguments["slurm"].as<std::string>();
  freeze(plan);
  write_file_atomically(path, slurm_text(plan, slurm));
  fmt::print("{} for {} trials: sbatch {}\n", path, plan.trials.size(), path);
  return 0;
}

/// --only: one trial, trained and not tested.
int train_one(const SweepPlan& plan, const ControllerOptions& options, int index) {
  if (index < 0 || index >= std::ssize(plan.trials)) {
    throw Error(Exit::bad_spec, "--only is {}, expected 0 to {}", index, plan.trials.size() - 1);
  }
  const Trial& trial = plan.trials[static_cast<size_t>(index)];
  freeze(plan);
  const StageEnd end = run_trials(plan, {&trial}, SweepStage::train, options);
  if (end.stopped) return stopped_by_signal(plan);
  if (end.diverged > 0) return code_of(Exit::diverged);
  if (end.failure == 0) fmt::print("{}\n", trial.folder.path().string());
  return end.failure;
}

/// The trials that --test asks for. A choice is only made once every trial was trained.
std::vector<const Trial*> trials_to_test(const SweepPlan& plan, const std::string& tests,
                                         const StageEnd& training) {
  if (tests == "none" || training.failure != 0) return {};
  if (tests == "chosen") return chosen_trials(make_sweep_tables(plan));
  std::vector<const Trial*> trials;
  for (const Trial& trial : plan.trials) {
    if (is_done(trial, SweepStage::train)) trials.push_back(&trial);
  }
  return trials;
}

int train_and_choose(const SweepPlan& plan, const ControllerOptions& options,
                     const std::string& tests, bool as_json) {
  freeze(plan);
  const StageEnd training = run_trials(plan, all_trials(plan), SweepStage::train, options);
  if (training.stopped) return stopped_by_signal(plan);
  StageEnd testing;
  if (!training.ended_early) {
    testing = run_trials(plan, trials_to_test(plan, tests, training), SweepStage::test, options);
    if (testing.stopped) return stopped_by_signal(plan);
  }
  const std::vector<SweepTable> tables = make_sweep_tables(plan);
  if (as_json) {
    fmt::print("{}\n", sweep_json(plan, tables).dump(1));
  } else {
    fmt::print("{}", sweep_text(plan, tables));
  }
  if (training.failure != 0) {
    fmt::print(stderr,
               "kshot: some trials failed: their last words are in {}; the same command tries them "
               "again\n",
               plan.file("logs").string());
    return training.failure;
  }
  if (testing.failure != 0) return testing.failure;
  const bool none_left = training.diverged == std::ssize(plan.trials);
  const bool gave_up = training.ended_early || testing.diverged > 0;
  return none_left || gave_up ? code_of(Exit::diverged) : 0;
}

int sweep(const Arguments& arguments) {
  const ControllerOptions options = controller_options(arguments);
  const std::string tests = tests_of(arguments);
  const torch::Device device = find_device(options.device);
  const Json spec =
      load_spec(required(arguments, "spec", sweep_command().usage), edits_of(arguments));
  const SweepPlan plan = plan_sweep(spec, arguments["results"].as<std::string>(), device);
  warn_of_waiting(plan, device, options);
  if (flag(arguments, "dry-run"))
    return preview(plan, device, options, tests, flag(arguments, "json"));
  if (flag(arguments, "slurm")) return write_slurm_file(plan, device, options, arguments);
  catch_stop_signals();
  if (flag(arguments, "only")) return train_one(plan, options, arguments["only"].as<int>());
  return train_and_choose(plan, options, tests, flag(arguments, "json"));
}

}  // namespace

Command sweep_command() {
  Command command;
  command.name = "sweep";
  command.summary = "train a spec with many settings and choose by validation";
  command.usage = "sweep SPEC [--jobs N] [--dry-run] [--only I] [options]";
  command.details =
      R"(SPEC has a "sweep" block. Its entries are factors; the trials are all their combinations:

  "sweep": {
    "algorithm.inner_lr": [0.1, 0.4],                     each value
    "zip":    {"episodes.train.way": [5, 20],             lists of one length, side by side
               "episodes.train.query": [15, 5]},
    "list":   [{"algorithm.name": "protonet"},            these settings, one after the other
               {"algorithm.name": "maml"}],
    "random": {"count": 8, "seed": 0, "settings": {       8 draws, the same ones every time
                 "optimizer.lr": {"log_uniform": [0.0001, 0.01]},
                 "optimizer.beta1": {"uniform": [0.5, 0.95]},
                 "algorithm.inner_steps": {"integer": [1, 5]},
                 "backbone.channels": {"choice": [32, 64]}}},
    "when":   {"algorithm.inner_lr": {"algorithm.name": ["maml", "fomaml"]}},
                                                          set only where the other has a value
    "seed": [1, 2, 3]
  }

The trials are trained without a test. Those that differ in the seed alone are one configuration.
The sweep ends with a table by validation score and tests the best configuration, all its seeds.
What was planned lies in <results>/<name>/sweeps/<sweep-id>/. The same command again goes on where
it was stopped or killed, also on several machines at once that share the folder.

  kshot sweep sweep-demo --dry-run
  kshot sweep demo --set 'sweep={"optimizer.lr": [0.0003, 0.001, 0.003], "seed": [1, 2]}' --jobs 2)";
  command.positional = {"spec"};
  command.options.add_options()("jobs", po::value<int>()->default_value(1)->value_name("N"),
                                "trials side by side, which share the threads")(
      "dry-run", "show the trials and about how long they take; writes nothing")(
      "only", po::value<int>()->value_name("I"), "train trial I and do nothing else")(
      "test", po::value<std::string>()->default_value("chosen")->value_name("WHICH"),
      "chosen: what validation chose; all; none")("fail-fast",
                                                  "end with the first trial that fails")(
      "keep-going", "go on with the other trials; so it is without --fail-fast, too")(
      "retry", po::value<int>()->default_value(0)->value_name("N"),
      "further attempts at a trial that fails; one that diverges has none")(
      "slurm", po::value<std::string>()->value_name("FILE"),
      "write an sbatch file that runs the trials as an array");
  add_compute_options(command.options);
  add_json_option(command.options);
  command.run = sweep;
  return command;
}

}  // namespace kshot
