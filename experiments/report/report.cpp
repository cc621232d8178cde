#include "experiments/report/report.h"

#include <algorithm>

#include "experiments/html_page.h"
#include "experiments/report/report_style.h"
#include "framework/base/error.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

/// All runs where their colours suffice, else the best.
std::vector<size_t> shown_runs(const std::vector<size_t>& order) {
  std::vector<size_t> shown = order;
  if (shown.size() > kSeries) {
    shown.resize(kSeries);
  } else {
    std::sort(shown.begin(), shown.end());
  }
  return shown;
}

std::string contents(const std::vector<Section>& sections) {
  std::string links;
  for (const Section& section : sections)
    links += fmt::format("<a href=\"#{}\">{}</a>\n", section.id, html_escape(section.title));
  return "<nav aria-label=\"Contents\">\n" + links + "</nav>\n";
}

std::string footer(const Report& report) {
  return fmt::format(
      "<footer class=\"quiet\">Written by kshot {} from {}. Intervals are 95 %. Everything here "
      "was "
      "derived from the records' own lines.</footer>\n",
      html_escape(build_info().version), counted(report.runs.size(), "record", "records"));
}

}  // namespace

std::vector<const ReportRun*> Report::tested() const {
  std::vector<const ReportRun*> finished;
  for (const size_t i : shown) {
    if (runs[i].finished()) finished.push_back(&runs[i]);
  }
  return finished;
}

int Report::series(const ReportRun& run) const {
  const auto found =
      std::find_if(shown.begin(), shown.end(), [&](size_t i) { return &runs[i] == &run; });
  return found == shown.end() ? -1 : static_cast<int>(found - shown.begin());
}

Report make_report(std::vector<ReportRun> runs, const ReportOptions& options) {
  if (runs.empty()) throw Error(Exit::bad_spec, "a report needs a run");
  Report report{
      .runs = std::move(runs), .outcome = {}, .order = {}, .shown = {}, .options = options};
  label_runs(report.runs);
  report.outcome = outcome_of(report.runs);
  report.order = by_outcome(report.runs, report.outcome);
  report.shown = shown_runs(report.order);
  return report;
}

std::string report_html(const Report& report) {
  std::vector<Section> sections{
      runs_section(report),    sweep_section(report), curves_section(report),
      scores_section(report),  steps_section(report), tasks_section(report),
      classes_section(report), spec_section(report),  machine_section(report)};
  std::erase_if(sections, [](const Section& section) { return section.body.empty(); });
  const Headline found = headline(report);
  std::string body = fmt::format("<header>\n<h1>{}</h1>\n{}{}</header>\n<main>\n",
                                 html_escape(found.title), found.body, contents(sections));
  for (const Section& section : sections) {
    body += fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">"
        "{1}</h2>\n{2}</section>\n",
        section.id, html_escape(section.title), section.body);
  }
  body += "</main>\n" + footer(report);
  return html_page(found.title, body, kReportStyle);
}

std::string legend(const Report& report) {
  if (report.runs.size() == 1) return "";
  std::string items;
  for (const size_t i : report.shown)
    items += fmt::format("<li>{}</li>", run_cell(report, report.runs[i]).html);
  if (report.shown.size() < report.runs.size()) {
    items += fmt::format(
        "<li><svg class=\"key\" viewBox=\"0 0 34 14\" aria-hidden=\"true\"><path class=\"line "
        "rest\" d=\"M1 7H33\"/></svg> {}</li>",
        counted(report.runs.size() - report.shown.size(), "other run", "other runs"));
  }
  return "<ul class=\"legend\">" + items + "</ul>\n";
}

Cell run_cell(const Report& report, const ReportRun& run) {
  const int series = report.series(run);
  if (series < 0 || report.runs.size() == 1) return {run.label};
  return Cell::of_html(legend_mark(series) + " " + html_escape(run.label));
}

double axis_value(const Score& score, double value) { return score.percent ? 100 * value : value; }

std::string axis_title(const Score& score) {
  return score.percent ? score.name + ", %" : score.name;
}

}  // namespace kshot
