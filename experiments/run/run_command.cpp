// kshot run: train, test, record.
#include <filesystem>

#include "experiments/commands.h"
#include "experiments/records/run_lock.h"
#include "experiments/records/test_summary.h"
#include "experiments/records/validation_record.h"
#include "experiments/run/resume.h"
#include "framework/base/atomic_file.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

Json training_record(const TrainingResult& trained) {
  Json train{{"iterations", trained.iterations},
             {"best_iteration", trained.best_iteration},
             {"seconds", trained.seconds},
             {"tasks_per_second", trained.tasks_per_second},
             {"peak_memory_bytes", peak_memory_bytes()}};
  if (trained.best_validation_accuracy)
    train["best_validation_accuracy"] = *trained.best_validation_accuracy;
  if (trained.best_validation_loss) train["best_validation_loss"] = *trained.best_validation_loss;
  if (!trained.ensemble_iterations.empty())
    train["ensemble_iterations"] = trained.ensemble_iterations;
  return train;
}

int stopped_by_signal(const fs::path& folder) {
  fmt::print(stderr, "kshot: stopped by a signal; run again with --resume to go on in {}\n",
             folder.string());
  return static_cast<int>(Exit::stopped);
}

/// --no-test: leaves what selection among runs looks at, and no record.
int leave_untested(const Experiment& experiment, const RunFolder& folder,
                   const std::optional<ValidationRecord>& validation) {
  if (!validation) return stopped_by_signal(folder.path());
  folder.write("validation.json", write_config(*validation));
  fmt::print("{}: {}; not tested\n{}\n", experiment.spec.name, validation_text(*validation),
             folder.path().string());
  return 0;
}

/// How a run is asked for, beside its spec.
struct RunOptions {
  int threads = 1;
  bool quiet = false;
  bool resume = false;
  bool test = true;
};

/// Trains and tests in `folder`. Returns the exit code.
int train_and_test(const Experiment& experiment, const RunFolder& folder, const RunOptions& how) {
  TaskEngine engine(how.threads);
  Json train_block;
  std::vector<ParamList> models;
  if (experiment.learns()) {
    Training training = training_of(experiment, folder.path());
    training.resume = how.resume;
    training.quiet = how.quiet;
    const TrainingResult trained = train(engine, training);
    if (trained.stopped) return stopped_by_signal(folder.path());
    if (!how.test) return leave_untested(experiment, folder, validation_of(trained));
    models = trained.models;
    train_block = training_record(trained);
  } else {
    models = {fresh_weights(experiment)};
    make_folder(folder.file("checkpoints"));
    save_checkpoint(folder.file("checkpoints"), "best", {models[0], {}, Json::object()});
    if (!how.test) {
      return leave_untested(experiment, folder,
                            validate_untrained(engine, experiment, models, how.quiet));
    }
  }
  const HeldOutTasks& test = experiment.spec.episodes.test;
  Progress progress("test", test.count, how.quiet);
  const auto evaluation = evaluate(engine, *experiment.algorithm, models, *experiment.test,
                                   {.count = test.count,
                                    .seed = test.seed,
                                    .progress = [&](int64_t done) { progress.update(done); }},
                                   experiment.compute);
  if (!evaluation) return stopped_by_signal(folder.path());
  experiment.check_data_unchanged();
  write_file_atomically(folder.file("episodes.jsonl"), outcomes_text(evaluation->episodes));
  Json record = record_of(experiment, *evaluation, models[0]);
  if (!train_block.is_null()) record["train"] = train_block;
  folder.write("result.json", record);
  fmt::print("{}\n{}\n", test_summary(experiment, *evaluation), folder.path().string());
  return 0;
}

int already_done(const RunFolder& folder) {
  fmt::print("already done: {} (--again repeats it)\n", folder.path().string());
  return 0;
}

/// --again: the run goes to a folder beside the finished one, which it replaces when done.
int run_again(const Experiment& experiment, const RunFolder& folder, RunOptions how) {
  how.resume = false;
  const RunLock lock(folder.path());
  const fs::path temporary = folder.path().string() + ".again";
  fs::remove_all(temporary);
  const RunFolder fresh(temporary);
  fresh.begin(experiment, how.threads);
  const int code = train_and_test(experiment, fresh, how);
  if (code != 0) return code;
  exchange(temporary, folder.path());
  fs::remove_all(temporary);
  fmt::print("replaced {}\n", folder.path().string());
  return 0;
}

/// Begins or goes on in a folder that no other process works in.
int run_locked(const Experiment& experiment, const RunFolder& folder, const RunOptions& how) {
  const bool fresh = !fs::exists(folder.path());
  make_folder(folder.path());
  const RunLock lock(folder.path());
  if (folder.finished()) return already_done(folder);  // by another process, just now
  if (!how.resume && has_checkpoint(folder.file("checkpoints"), "last")) {
    throw Error(Exit::bad_spec,
                "{} holds an unfinished run: continue it with --resume, or remove it",
                folder.path().string());
  }
  remove_leftovers(folder.path());
  remove_leftovers(folder.file("checkpoints"));
  try {
    folder.begin(experiment, how.threads);
  } catch (...) {
    std::error_code ignored;
    if (fresh) fs::remove_all(folder.path(), ignored);
    throw;
  }
  return train_and_test(experiment, folder, how);
}

/// Which spec, and below which folder its record goes.
struct Place {
  std::string spec;
  fs::path results;
};

/// SPEC and --results, or, with --resume RUN_DIR alone, that folder's own.
Place place_of(const Arguments& arguments) {
  if (arguments.count("spec") > 0 || arguments.count("resume") == 0) {
    return {required(arguments, "spec", run_command_description().usage),
            arguments["results"].as<std::string>()};
  }
  const std::string named = arguments["resume"].as<std::string>();
  if (named.empty() || !RunFolder(named).started()) {
    throw Error(Exit::bad_spec,
                "--resume{}: not a run's folder, and no SPEC is given: kshot run SPEC --resume",
                named.empty() ? "" : " " + named);
  }
  return {RunFolder(named).file("spec.json").string(),
          fs::canonical(named).parent_path().parent_path()};
}

/// A sweep's spec is not one run.
void refuse_sweep(const Json& spec) {
  if (!spec.value("sweep", Json()).is_null()) {
    throw Error(Exit::bad_spec,
                "this spec has a \"sweep\" block: kshot sweep runs it; --set sweep=null leaves it "
                "out");
  }
}

/// What was seen in training is no novel class.
void refuse_leak(const Experiment& experiment) {
  if (experiment.leak.empty()) return;
  throw Error(Exit::bad_spec,
              "backbone.weights \"{}\" were trained on {} of the test's classes, as {}: choose "
              "other weights or data, or say --allow-leak, which the record and the leaderboard "
              "tell",
              *experiment.spec.start.weights, experiment.leak.size(), experiment.leak[0]);
}

int run_spec(const Arguments& arguments) {
  const torch::Device device = find_device(arguments["device"].as<std::string>());
  const Place place = place_of(arguments);
  const Json json = load_spec(place.spec, edits_of(arguments));
  refuse_sweep(json);
  const Experiment experiment = open_experiment(read_spec(json, device_kind(device)), device);
  if (!flag(arguments, "allow-leak")) refuse_leak(experiment);
  const RunFolder folder(place.results / experiment.spec.name / experiment.id);
  const RunOptions how{.threads = threads_of(arguments),
                       .quiet = flag(arguments, "quiet"),
                       .resume = flag(arguments, "resume"),
                       .test = !flag(arguments, "no-test")};
  if (flag(arguments, "again") && !how.test)
    throw Error(Exit::bad_spec, "--again repeats a finished run, which --no-test would not finish");
  catch_stop_signals();
  if (folder.finished()) {
    if (flag(arguments, "again")) return run_again(experiment, folder, how);
    if (how.test || find_validation(folder)) return already_done(folder);
    const RunLock lock(folder.path());
    return train_and_test(experiment, folder, how);
  }
  if (how.resume) check_resumable(folder, experiment, arguments["resume"].as<std::string>());
  return run_locked(experiment, folder, how);
}

}  // namespace

Command run_command_description() {
  Command command;
  command.name = "run";
  command.summary = "train and test what a spec says; writes a record";
  command.usage = "run SPEC [--set path=value]... [options]";
  command.details =
      "SPEC is a JSON file or a preset (kshot list specs). The record goes to "
      "<results>/<name>/<run-id>/;\n"
      "the run id is a hash of everything that decides the numbers, so the same spec run again "
      "finds the\n"
      "finished record. A run stopped by Ctrl-C continues with --resume; a folder named behind it "
      "says which,\n"
      "and has the spec.\n\n"
      "  kshot run demo --set train.iterations=200\n"
      "  kshot run protonet-omniglot-5w1s --set seed=2 --resume";
  command.positional = {"spec"};
  add_compute_options(command.options);
  command.options.add_options()(
      "resume", po::value<std::string>()->implicit_value("")->value_name("[RUN_DIR]"),
      "continue an unfinished run")("again",
                                    "repeat a finished run and replace its record when done")(
      "no-test", "train only: no record, but the validation score in validation.json")(
      "allow-leak", "test also where backbone.weights were trained on classes of the test");
  command.run = run_spec;
  return command;
}

}  // namespace kshot
