// kshot bench: how fast a spec trains and tests here, and where the time goes. Writes nothing.
#include <chrono>

#include "experiments/commands.h"
#include "experiments/experiment.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/run/outer_step.h"
#include "framework/run/prefetcher.h"

namespace kshot {
namespace {

using Clock = std::chrono::steady_clock;

/// Seconds since the last call, all work on the device done.
class Lap {
 public:
  explicit Lap(const torch::Device& device) : device_(device) { next(); }

  double next() {
    if (device_.is_cuda()) torch::cuda::synchronize(device_.index());
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  torch::Device device_;
  Clock::time_point last_{};
};

/// Seconds of N training steps, phase by phase.
struct TrainingTimes {
  double learn = 0;  ///< forward and backward, sums over tasks and waiting for tasks included
  double wait =
      0;  ///< for the prefetcher, which draws and loads in a thread of its own: a worker's mean
  double reduce = 0;  ///< the sums by themselves: one thread's, while others learn
  double step = 0;    ///< the outer optimiser
  double faults = 0;  ///< pages that the system handed out
  double draw = 0;    ///< what drawing and loading the same tasks takes by itself

  double total() const { return learn + step; }
};

double time_drawing(const Experiment& experiment, int64_t steps) {
  Lap lap(torch::kCPU);
  const int64_t meta_batch = experiment.spec.train.meta_batch;
  for (int64_t i = 0; i < steps; ++i) {
    const std::vector<TaskPlan> plans = plans_of(*experiment.train, i, meta_batch);
    for (const auto piece : cut_plans(plans, experiment.compute.batched()))
      experiment.train->load(piece);
  }
  return lap.next();
}

/// As the trainer does it: N steps to warm up, then N that count. Validation, logs and checkpoints
/// are left out.
TrainingTimes time_training(TaskEngine& engine, const Experiment& experiment, ParamList& weights,
                            int64_t steps) {
  const ExperimentSpec& spec = experiment.spec;
  Optimizer optimizer(spec.optimizer, weights);
  Prefetcher feed(experiment.train, spec.train.meta_batch, experiment.compute.batched(), 0,
                  2 * steps, engine.threads() + 1);
  Lap lap(experiment.compute.device);
  TrainingTimes times;
  double waited_before = 0;
  int64_t faults_before = 0;
  for (int64_t i = 0; i < 2 * steps; ++i) {
    if (i == steps) {
      times = {};
      waited_before = feed.waited();
      faults_before = page_faults();
    }
    const Context context{
        .iteration = i, .iterations = 2 * steps, .training = true, .seed = spec.seed};
    double reduce = 0;
    lap.next();
    TaskGradients learned = learn_tasks(engine, *experiment.algorithm, weights, feed.next(),
                                        context, experiment.compute, &reduce);
    times.learn += lap.next();
    times.reduce += reduce;
    take_outer_step(learned, weights, optimizer, context, spec.train);
    times.step += lap.next();
  }
  times.wait = (feed.waited() - waited_before) / engine.threads();
  times.faults = static_cast<double>(page_faults() - faults_before);
  times.draw = time_drawing(experiment, steps);
  return times;
}

/// Seconds of `count` test tasks, after as many to warm up.
double time_testing(TaskEngine& engine, const Experiment& experiment, const ParamList& weights,
                    int64_t count) {
  double seconds = 0;
  for (int round = 0; round < 2; ++round) {
    Lap lap(experiment.compute.device);
    evaluate(engine, *experiment.algorithm, weights, *experiment.test,
             {.count = count, .seed = experiment.spec.episodes.test.seed}, experiment.compute);
    seconds = lap.next();
  }
  return seconds;
}

Json training_json(const Experiment& experiment, const TrainingTimes& times, int64_t steps) {
  const auto n = static_cast<double>(steps);
  const auto tasks = n * static_cast<double>(experiment.spec.train.meta_batch);
  return {{"iterations_per_second", n / times.total()},
          {"tasks_per_second", tasks / times.total()},
          {"milliseconds_per_iteration",
           {{"total", 1e3 * times.total() / n},
            {"learn", 1e3 * times.learn / n},
            {"wait_within_learn", 1e3 * times.wait / n},
            {"reduce_within_learn", 1e3 * times.reduce / n},
            {"step", 1e3 * times.step / n},
            {"draw_in_background", 1e3 * times.draw / n}}},
          {"page_faults_per_iteration", times.faults / n}};
}

Json setting_json(const Experiment& experiment, int threads) {
  const Json env = environment(experiment.identity(), threads);
  Json setting{{"name", experiment.spec.name},
               {"kernels", experiment.spec.kernels},
               {"meta_batch", experiment.spec.train.meta_batch}};
  for (const char* key : {"device", "cpu", "dtype", "task_mode", "intra_op_threads", "threads",
                          "libtorch", "build_type"}) {
    setting[key] = env.at(key);
  }
  return setting;
}

void print_report(const Json& report) {
  const Json& setting = report.at("setting");
  fmt::print(
      "{} on {} ({}), kernels {}, task_mode {}, meta_batch {}, {} task threads of {} intra-op "
      "threads\n\n",
      setting.at("name").get<std::string>(), setting.at("device").get<std::string>(),
      setting.at("cpu").get<std::string>(), setting.at("kernels").get<std::string>(),
      setting.at("task_mode").get<std::string>(), setting.at("meta_batch").get<int64_t>(),
      setting.at("threads").get<int>(), setting.at("intra_op_threads").get<int>());
  std::vector<std::vector<std::string>> rows;
  const auto row = [&](const char* what, const Json& value, const char* unit) {
    rows.push_back({what, fmt::format("{:.2f}", value.get<double>()), unit});
  };
  if (report.contains("training")) {
    const Json& training = report["training"];
    const Json& phases = training.at("milliseconds_per_iteration");
    row("training", training.at("tasks_per_second"), "tasks/s");
    row("", training.at("iterations_per_second"), "meta-iterations/s");
    row("one iteration", phases.at("total"), "ms, of which");
    row("  learn", phases.at("learn"), "ms");
    row("    wait for tasks", phases.at("wait_within_learn"), "ms, a worker's mean");
    row("    reduce", phases.at("reduce_within_learn"), "ms, in one thread while others learn");
    row("  optimiser step", phases.at("step"), "ms");
    row("draw, in background", phases.at("draw_in_background"), "ms");
    row("page faults", training.at("page_faults_per_iteration"), "an iteration");
  }
  row("testing", report.at("testing").at("tasks_per_second"), "tasks/s");
  row("peak memory", report.at("peak_memory_bytes").get<double>() / (1 << 20), "MiB");
  fmt::print("{}", text_table(rows));
  if (!report.at("kernels").empty()) fmt::print("\nkernels by layer\n");
  for (const Json& layer : report.at("kernels")) {
    fmt::print("  {}: {}\n", layer.at("layer").get<std::string>(),
               fmt::join(layer.at("paths").get<std::vector<std::string>>(), "; "));
  }
}

int64_t steps_of(const Arguments& arguments) {
  const auto steps = arguments["steps"].as<int64_t>();
  if (steps < 1 || steps > 1'000'000)
    throw Error(Exit::bad_spec, "--steps is {}, expected 1 to 1000000", steps);
  return steps;
}

int run_bench(const Arguments& arguments) {
  const int64_t steps = steps_of(arguments);
  const torch::Device device = find_device(arguments["device"].as<std::string>());
  const Json json =
      load_spec(required(arguments, "spec", bench_command().usage), edits_of(arguments));
  const auto paths = std::make_shared<PathLog>();
  const Experiment experiment =
      open_experiment(read_spec(json, device_kind(device)), device, paths);
  const int threads = threads_of(arguments);
  TaskEngine engine(threads);
  ParamList weights = fresh_weights(experiment);
  Json report{{"setting", setting_json(experiment, threads)}, {"steps", steps}};
  if (experiment.learns()) {
    report["training"] =
        training_json(experiment, time_training(engine, experiment, weights, steps), steps);
  }
  const int64_t tests = std::max<int64_t>(steps, 2 * threads);  // enough to keep every thread busy
  report["testing"] = {{"tasks", tests},
                       {"tasks_per_second", static_cast<double>(tests) /
                                                time_testing(engine, experiment, weights, tests)}};
  report["peak_memory_bytes"] = peak_memory_bytes();
  report["kernels"] = Json::array();
  for (const auto& [layer, names] : paths->layers())
    report["kernels"].push_back({{"layer", layer}, {"paths", names}});
  if (flag(arguments, "json")) {
    fmt::print("{}\n", report.dump(1));
  } else {
    print_report(report);
  }
  return 0;
}

}  // namespace

Command bench_command() {
  Command command;
  command.name = "bench";
  command.summary = "how fast a spec trains and tests here; writes nothing";
  command.usage = "bench SPEC [--steps N] [--json] [options]";
  command.details =
      "Runs N iterations to warm up and N that count, then test tasks likewise. Tasks are drawn "
      "and\n"
      "loaded in the background; \"wait\" is what a worker waits for them.\n\n"
      "  kshot bench demo --steps 50";
  command.positional = {"spec"};
  command.options.add_options()("steps", po::value<int64_t>()->default_value(20)->value_name("N"),
                                "iterations that count");
  add_compute_options(command.options);
  add_json_option(command.options);
  command.run = run_bench;
  return command;
}

}  // namespace kshot
