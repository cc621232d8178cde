#include "experiments/sweep/sweep_plan.h"

#include <set>

#include "framework/base/atomic_file.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// What decides which validation tasks a spec has; how their pixels are scaled does not.
Json validation_tasks_of(const ExperimentSpec& spec, DatasetCache& datasets) {
  const HeldOutTasks& held_out = spec.episodes.validation;
  const Json& block = held_out.dataset ? *held_out.dataset : spec.dataset;
  const Manifest& manifest = datasets.open(block)->manifest();
  Json tasks = write_config(held_out);
  tasks.erase("dataset");
  tasks["data"] = manifest.name;
  tasks["data_sha256"] = manifest.sha256;
  for (const char* key : {"splits", "rotations"}) {
    if (block.contains(key)) tasks[key] = block[key];
  }
  if (tasks.value("splits", "").empty()) tasks["splits"] = manifest.default_split;
  return tasks;
}

std::string plan_lines(const std::vector<Trial>& trials) {
  std::string lines;
  for (const Trial& trial : trials) {
    lines +=
        Json{
            {"index", trial.index}, {"edits", settings_json(trial.settings)}, {"run", trial.run_id}}
            .dump() +
        "\n";
  }
  return lines;
}

std::string spec_text(const SweepPlan& plan) { return plan.spec.dump(1) + "\n"; }

void write_once(const fs::path& path, const std::string& text) {
  if (!fs::exists(path)) return write_file_atomically(path, text);
  if (read_file(path) != text) {
    throw Error(Exit::bad_data,
                "{}: was changed since it was written; remove the sweep's folder to plan it anew",
                path.string());
  }
}

}  // namespace

Settings Trial::without_seed() const {
  Settings rest;
  for (const SpecEdit& edit : settings) {
    if (edit.path != "seed") rest.push_back(edit);
  }
  return rest;
}

Experiment open_trial(const Json& spec, const Settings& settings, const torch::Device& device,
                      DatasetCache& datasets) {
  try {
    const ExperimentSpec own = read_spec(with_edits(spec, settings), device_kind(device));
    Experiment experiment = open_experiment(own, device, nullptr, datasets);
    if (!experiment.learns()) validation_source(own, datasets);  // what is to choose among these
    return experiment;
  } catch (const Error& problem) {
    throw Error(problem.code(), "the trial with {}: {}", settings_text(settings), problem.what());
  }
}

SweepPlan plan_sweep(const Json& spec, const fs::path& results, const torch::Device& device) {
  SweepPlan plan;
  plan.spec = spec;
  plan.results = results;
  plan.name = read_spec(spec, device_kind(device)).name;
  DatasetCache datasets;
  std::set<fs::path> met;
  for (const Settings& settings : expand_sweep(spec, device_kind(device))) {
    const Experiment experiment = open_trial(spec, settings, device, datasets);
    plan.intra_op_threads = std::max(plan.intra_op_threads, experiment.compute.intra_op_threads);
    const fs::path folder = results / experiment.spec.name / experiment.id;
    if (!met.insert(folder).second) {
      ++plan.repeated;
      continue;
    }
    plan.trials.push_back({.index = static_cast<int64_t>(plan.trials.size()),
                           .settings = settings,
                           .run_id = experiment.id,
                           .folder = RunFolder(folder),
                           .validation_tasks = validation_tasks_of(experiment.spec, datasets),
                           .kind = experiment.test->kind()});
  }
  plan.id = sha256_hex(spec_text(plan) + plan_lines(plan.trials)).substr(0, 12);
  plan.folder = results / plan.name / "sweeps" / plan.id;
  return plan;
}

void freeze(const SweepPlan& plan) {
  for (const char* inside : {"locks", "logs", "failures"}) make_folder(plan.file(inside));
  write_once(plan.file("sweep.json"), spec_text(plan));
  write_once(plan.file("plan.jsonl"), plan_lines(plan.trials));
}

std::vector<std::string> run_words(const SweepPlan& plan, const Trial& trial) {
  std::vector<std::string> words{"run",       plan.file("sweep.json").string(),
                                 "--results", plan.results.string(),
                                 "--set",     "sweep=null"};
  for (const SpecEdit& edit : trial.settings) {
    words.push_back("--set");
    words.push_back(edit.path + "=" + edit.value.dump());
  }
  return words;
}

}  // namespace kshot
