#include "experiments/report/report_run.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "experiments/flat_spec.h"
#include "experiments/records/episode_lines.h"
#include "experiments/records/records.h"
#include "experiments/records/run_folder.h"
#include "experiments/report/spec_settings.h"
#include "framework/base/error.h"
#include "framework/run/checkpoint.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

bool within(const std::vector<int64_t>& numbers, int64_t end) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [end](int64_t number) { return number >= 0 && number < end; });
}

bool labels_fit(const EpisodeOutcome& episode) {
  const TaskPlan& plan = episode.plan;
  return plan.support_labels.size() == plan.support.size() &&
         within(plan.support_labels, plan.outputs) && within(plan.query_labels, plan.outputs) &&
         within(episode.predictions, plan.outputs);
}

/// A sinusoid's values are its amplitude, its phase, and x of each point; other data sets say what
/// theirs are, and are not drawn.
bool points_fit(const TaskPlan& plan) {
  const auto points = static_cast<int64_t>(plan.values.size()) - 2;
  return within(plan.support, points) && within(plan.query, points);
}

Json train_block(const Json& spec) { return spec.value("train", Json::object()); }

/// Which tasks a run was validated on, but for where their pack lies.
FlatSpec validation_tasks(const ReportRun& run) {
  const Json tasks = run.spec.value("episodes", Json::object()).value("validation", Json::object());
  return flat_spec({{"tasks", tasks}, {"dataset", run.spec.value("dataset", Json::object())}});
}

/// Whether the last checkpoint is of a training that is done; a sweep tests only what it chose.
bool training_ended(const RunFolder& folder) {
  const auto last = checkpoint_state(folder.file("checkpoints"), "last");
  return last && last->value("phase", Json()) == "done";
}

/// A run that has spec.json alone, or with it the beginning of a training.
void read_unfinished(ReportRun& run) {
  const RunFolder folder(run.folder);
  run.spec = folder.spec();
  run.env = folder.env();
  run.trained = training_ended(folder);
  run.name = run.spec.value("name", run.folder.parent_path().filename().string());
  run.id = fs::absolute(run.folder).lexically_normal().filename().string();
}

}  // namespace

TaskKind ReportRun::kind() const {
  if (record) return record->tasks.kind;
  for (const auto* measured : {&curves.train, &curves.validation}) {
    if (!measured->empty())
      return measured->front().accuracy ? TaskKind::classification : TaskKind::regression;
  }
  return TaskKind::classification;
}

std::string ReportRun::algorithm() const {
  return spec.value("algorithm", Json::object()).value("name", "");
}

std::string ReportRun::progress() const {
  if (trained) return "trained, but not tested";
  const auto planned = planned_iterations();
  if (!planned) return fmt::format("{} iterations done", curves.last_iteration());
  return fmt::format("{} of {} iterations done", curves.last_iteration(), *planned);
}

std::optional<int64_t> ReportRun::planned_iterations() const {
  const Json train = train_block(spec);
  if (!train.contains("iterations") || !train["iterations"].is_number()) return std::nullopt;
  return train["iterations"].get<int64_t>();
}

std::optional<Measurement> ReportRun::chosen() const {
  return curves.best_validation(train_block(spec).value("select_by", "accuracy"));
}

std::optional<double> ReportRun::validation_score() const {
  const auto best = chosen();
  if (!best) return std::nullopt;
  return kind() == TaskKind::regression ? best->loss : best->accuracy;
}

std::vector<fs::path> report_folders(const std::vector<fs::path>& folders) {
  std::vector<fs::path> runs;
  std::set<fs::path> known;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder))
      throw Error(Exit::bad_spec, "{}: no such folder", folder.string());
    const std::vector<fs::path> found = run_folders_below(folder);
    if (found.empty()) {
      throw Error(Exit::bad_spec,
                  "{}: no run there: expected a folder with spec.json, as results/NAME/ID, or one "
                  "that holds such",
                  folder.string());
    }
    for (const fs::path& run : found) {
      if (known.insert(fs::weakly_canonical(run)).second) runs.push_back(run);
    }
  }
  return runs;
}

ReportRun read_report_run(const fs::path& folder) {
  ReportRun run;
  run.folder = folder;
  try {
    if (RunFolder(folder).finished()) {
      run.record = read_recorded_run(folder);
      run.name = run.record->name;
      run.id = run.record->id;
      run.spec = run.record->spec;
      run.env = run.record->env;
      run.trained = true;
    } else {
      read_unfinished(run);
    }
    run.curves = read_curves(folder / "metrics.jsonl");
  } catch (const Json::exception& problem) {
    throw Error(Exit::bad_data, "{}: not a record: {}", folder.string(), problem.what());
  }
  run.label = run.name;
  return run;
}

std::vector<EpisodeOutcome> tested_episodes(const ReportRun& run) {
  std::vector<EpisodeOutcome> episodes = read_episode_lines(run.folder);
  for (const EpisodeOutcome& episode : episodes) {
    const bool fits = episode.regression ? points_fit(episode.plan) : labels_fit(episode);
    if (fits) continue;
    throw Error(Exit::bad_data, "{}: episode {} has labels or points that its task does not have",
                run.folder.string(), episode.plan.index);
  }
  return episodes;
}

void label_runs(std::vector<ReportRun>& runs) {
  std::vector<std::string> names, ids;
  std::vector<Json> specs;
  for (const ReportRun& run : runs) {
    names.push_back(run.name);
    ids.push_back(run.id);
    specs.push_back(run.spec);
  }
  const std::vector<std::string> labels = run_labels(names, ids, specs);
  for (size_t i = 0; i < runs.size(); ++i) runs[i].label = labels[i];
}

Outcome outcome_of(const std::vector<ReportRun>& runs) {
  Outcome validation{.kind = Outcome::Kind::validation, .scores = {}};
  Outcome test{.kind = Outcome::Kind::test, .scores = {}};
  for (const ReportRun& run : runs) {
    if (run.kind() != runs[0].kind()) return {};
    const auto score = run.validation_score();
    if (score && validation_tasks(run) == validation_tasks(runs[0]))
      validation.scores.push_back(*score);
    if (run.finished() && runs[0].finished() && run.record->tasks == runs[0].record->tasks)
      test.scores.push_back(run.record->score.mean);
  }
  if (validation.scores.size() == runs.size()) return validation;
  return test.scores.size() == runs.size() ? test : Outcome{};
}

std::vector<size_t> by_outcome(const std::vector<ReportRun>& runs, const Outcome& outcome) {
  std::vector<size_t> order(runs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (outcome.kind == Outcome::Kind::none) return order;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return runs[0].score().better(outcome.scores[a], outcome.scores[b]);
  });
  return order;
}

}  // namespace kshot
