#pragma once

#include <string>
#include <vector>

#include "experiments/report/html_parts.h"
#include "experiments/report/report_run.h"

namespace kshot {

struct ReportOptions {
  bool images = true;  ///< draw test images again from the data
};

/// The runs of a report and which of them stand out in it.
struct Report {
  std::vector<ReportRun> runs;  ///< in the order given
  Outcome outcome;
  std::vector<size_t> order;  ///< of the runs, best outcome first
  std::vector<size_t> shown;  ///< those with a colour, at most kSeries of them
  ReportOptions options;

  const ReportRun& best() const { return runs[order[0]]; }
  /// The shown runs that are finished, in the order shown.
  std::vector<const ReportRun*> tested() const;
  /// Which colour and mark is this run's, from 0; -1 for one that stands back.
  int series(const ReportRun& run) const;
};

/// Throws Error(bad_spec) without runs.
Report make_report(std::vector<ReportRun> runs, const ReportOptions& options);

/// One HTML document that needs nothing from outside.
/// Throws Error(bad_data) where episode lines cannot be read.
std::string report_html(const Report& report);

// The parts of the page, in order; one with an empty body is left out.

/// What was found, in words.
struct Headline {
  std::string title;  ///< as text
  std::string body;   ///< as HTML
};
Headline headline(const Report& report);
Section runs_section(const Report& report);
Section curves_section(const Report& report);
Section scores_section(const Report& report);
Section steps_section(const Report& report);
Section classes_section(const Report& report);
Section tasks_section(const Report& report);
Section sweep_section(const Report& report);
Section spec_section(const Report& report);
Section machine_section(const Report& report);

/// The marks of the shown runs with their labels; nothing for a single run.
std::string legend(const Report& report);
/// The label of a run with its mark in front, where it has one.
Cell run_cell(const Report& report, const ReportRun& run);
/// Values on an axis: accuracies in percent, errors as they are.
double axis_value(const Score& score, double value);
std::string axis_title(const Score& score);

}  // namespace kshot
