#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/records/recorded_run.h"
#include "experiments/report/training_curves.h"
#include "framework/run/score.h"

namespace kshot {

/// A run as a report shows it, finished or not.
struct ReportRun {
  std::filesystem::path folder;
  std::string name, id;
  std::string label;                  ///< what tells it from the report's other runs
  Json spec, env;                     ///< env is an empty object where there is none
  std::optional<RecordedRun> record;  ///< absent where the run is not finished
  bool trained = false;               ///< its training came to its end
  TrainingCurves curves;

  bool finished() const { return record.has_value(); }
  TaskKind kind() const;
  const Score& score() const { return score_of(kind()); }
  std::string algorithm() const;
  /// How far a run without a test came: "120 of 2000 iterations done".
  std::string progress() const;
  /// How many iterations the spec asks for, where it trains.
  std::optional<int64_t> planned_iterations() const;
  /// The validation that chose the weights, or would if the run ended now.
  std::optional<Measurement> chosen() const;
  /// Its accuracy, or its loss where the tasks are regressions.
  std::optional<double> validation_score() const;
};

/// The folders of runs, finished or not, at or below each folder. A run's own evaluations are
/// passed over unless such a folder is named itself. Each run once, in the order given, those below
/// a folder by name. Throws Error(bad_spec) where there is no folder, or no run in it.
std::vector<std::filesystem::path> report_folders(
    const std::vector<std::filesystem::path>& folders);

/// Reads a run; where it is finished, its figures are checked against its episode lines.
/// Throws Error(bad_data) for a record that cannot be read.
ReportRun read_report_run(const std::filesystem::path& folder);

/// The episode lines of a finished run. Throws Error(bad_data) where labels, predictions or points
/// are not of their task, which no figure of the record would show.
std::vector<EpisodeOutcome> tested_episodes(const ReportRun& run);

/// Gives the runs their labels.
void label_runs(std::vector<ReportRun>& runs);

/// What is written about how well runs did: by validation where all of them have one, else by test
/// where all have that, else nothing.
struct Outcome {
  enum class Kind { validation, test, none };
  Kind kind = Kind::none;
  std::vector<double> scores;  ///< of each run

  std::string text() const { return kind == Kind::validation ? "validation" : "test"; }
};
/// None where runs are of different kinds, or, for the test, met different tasks.
Outcome outcome_of(const std::vector<ReportRun>& runs);

/// The runs from the best outcome down; in their own order where there is none.
std::vector<size_t> by_outcome(const std::vector<ReportRun>& runs, const Outcome& outcome);

}  // namespace kshot
