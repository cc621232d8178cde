// How the test came out: the scores of single tasks, and of a regression the error by step.
#include <algorithm>
#include <map>

#include "experiments/report/report.h"
#include "experiments/report/score_histogram.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

using Runs = std::vector<const ReportRun*>;

/// Runs that met the same tasks, for one picture.
std::map<TaskDefinition, Runs> by_tasks(const Report& report) {
  std::map<TaskDefinition, Runs> groups;
  for (const ReportRun* run : report.tested()) groups[run->record->tasks].push_back(run);
  return groups;
}

Histogram bins_for(const Runs& runs) {
  std::vector<double> all;
  for (const ReportRun* run : runs)
    all.insert(all.end(), run->record->scores.begin(), run->record->scores.end());
  const TaskDefinition& tasks = runs[0]->record->tasks;
  constexpr int kMost = 25;
  return tasks.kind == TaskKind::regression ? error_bins(all, kMost)
                                            : accuracy_bins(all, tasks.way * tasks.query, kMost);
}

double share_of_tasks(const Histogram& histogram, size_t bin, const ReportRun& run) {
  return 100.0 * static_cast<double>(histogram.counts[bin]) /
         static_cast<double>(run.record->scores.size());
}

std::string bin_text(const Score& score, const Histogram& bins, size_t bin) {
  const double from = std::max(0.0, bins.edge(bin)), to = bins.edge(bin + 1);
  if (bins.open_end && bin + 1 == bins.counts.size()) return fmt::format("{:.4g} and more", from);
  if (!score.percent) return fmt::format("{:.4g} to {:.4g}", from, to);
  return fmt::format("{:.1f} to {:.1f} %", 100 * from, std::min(100.0, 100 * to));
}

/// The outline of a histogram as one line.
std::vector<Point> outline(const Histogram& histogram, const ReportRun& run) {
  const Score& score = run.score();
  std::vector<Point> points{{axis_value(score, histogram.low), 0}};
  for (size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    const double share = share_of_tasks(histogram, bin, run);
    points.push_back({axis_value(score, histogram.edge(bin)), share});
    points.push_back({axis_value(score, histogram.edge(bin + 1)), share});
  }
  points.push_back({axis_value(score, histogram.edge(histogram.counts.size())), 0});
  return points;
}

void draw_bars(Chart& chart, const Histogram& histogram, const ReportRun& run) {
  const Score& score = run.score();
  for (size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    if (histogram.counts[bin] == 0) continue;
    chart.bar(axis_value(score, histogram.edge(bin)), axis_value(score, histogram.edge(bin + 1)),
              share_of_tasks(histogram, bin, run), "s0",
              fmt::format("{}: {} tasks", bin_text(score, histogram, bin), histogram.counts[bin]));
  }
  const double mean = run.record->score.mean;
  chart.vertical(axis_value(score, mean), "best", "mean " + score.told(mean));
}

std::string histogram_chart(const Report& report, const Runs& runs) {
  const Histogram bins = bins_for(runs);
  std::vector<Histogram> histograms;
  Range y;
  y.include(0);
  for (const ReportRun* run : runs) {
    histograms.push_back(filled(bins, run->record->scores));
    for (size_t bin = 0; bin < bins.counts.size(); ++bin)
      y.include(share_of_tasks(histograms.back(), bin, *run));
  }
  y.high *= 1.12;
  const Score& score = runs[0]->score();
  Chart chart(
      fmt::format("How often a task came to which {}", score.name),
      {.title = score.name + (score.percent ? " of a task, %" : " of a task"),
       .range = {axis_value(score, bins.low), axis_value(score, bins.edge(bins.counts.size()))}},
      {.title = "share of tasks, %", .range = y});
  if (runs.size() == 1) {
    draw_bars(chart, histograms[0], *runs[0]);
  } else {
    for (size_t i = 0; i < runs.size(); ++i)
      chart.line(outline(histograms[i], *runs[i]), fmt::format("s{}", report.series(*runs[i])));
  }

  std::vector<HtmlTable::Column> columns{{score.name}};
  for (const ReportRun* run : runs) columns.push_back({run->label, true});
  HtmlTable table("Tasks by " + score.name, columns);
  for (size_t bin = 0; bin < bins.counts.size(); ++bin) {
    std::vector<Cell> cells{bin_text(score, bins, bin)};
    for (const Histogram& histogram : histograms)
      cells.emplace_back(std::to_string(histogram.counts[bin]));
    table.row(std::move(cells));
  }
  const std::string caption =
      title_of(runs[0]->record->tasks) +
      (bins.open_end ? "; the last interval also holds all that is higher" : "");
  return figure(chart.svg(), caption) + folded("The histogram as numbers", table.html());
}

const Json& steps_of(const ReportRun& run) {
  return run.record->result.at("test").at("error").at("by_step");
}

std::string steps_chart(const Report& report, const Runs& runs) {
  Range x, y;
  y.include(0);
  for (const ReportRun* run : runs) {
    for (const Json& step : steps_of(*run)) {
      x.include(step.at("step"));
      y.include(step.at("mean").get<double>() + step.value("ci95_episodes", 0.0));
    }
  }
  if (!(x.high > x.low)) return "";  // no steps, no curve
  y.high *= 1.05;
  Chart chart("Mean squared error after each step of adaptation",
              {.title = "step of adaptation", .range = x}, {.title = "mse", .range = y});
  HtmlTable table("Mean squared error by step",
                  {{"run"}, {"step", true}, {"mse", true}, {"± these tasks", true}});
  for (const ReportRun* run : runs) {
    std::vector<Point> line, lower, upper;
    for (const Json& step : steps_of(*run)) {
      const double at = step.at("step"), mean = step.at("mean");
      const double half = step.value("ci95_episodes", 0.0);
      line.push_back({at, mean});
      lower.push_back({at, std::max(0.0, mean - half)});
      upper.push_back({at, mean + half});
      table.row({run_cell(report, *run), step.at("step").dump(), fmt::format("{:.4g}", mean),
                 fmt::format("{:.4g}", half)});
    }
    const int series = report.series(*run);
    const std::string css = fmt::format("s{}", series);
    chart.band(lower, upper, css);
    chart.line(line, css);
    for (const Point& point : line) {
      chart.mark(point, series, css,
                 fmt::format("{}: step {:.0f}, mse {:.4g}", run->label, point.x, point.y), 3.5);
    }
  }
  return figure(chart.svg(), title_of(runs[0]->record->tasks)) +
         folded("The steps as numbers", table.html());
}

}  // namespace

Section scores_section(const Report& report) {
  std::string body;
  for (const auto& [tasks, runs] : by_tasks(report)) body += histogram_chart(report, runs);
  if (body.empty()) return {};
  return {"tasks", "How single tasks came out", legend(report) + body};
}

Section steps_section(const Report& report) {
  std::string body;
  for (const auto& [tasks, runs] : by_tasks(report)) {
    if (tasks.kind == TaskKind::regression) body += steps_chart(report, runs);
  }
  if (body.empty()) return {};
  return {
      "steps", "Error by step",
      paragraph("The band is the 95 % interval for these tasks.", "quiet") + legend(report) + body};
}

}  // namespace kshot
