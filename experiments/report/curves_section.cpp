// How training went: loss and accuracy over the iterations.
#include <algorithm>

#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kMostPoints = 300;       ///< of a curve; more are averaged
constexpr double kSmoothing = 0.02;       ///< of the length of training
constexpr double kLogarithmicFrom = 30;   ///< highest loss over lowest

using Pick = std::vector<Point> (*)(const std::vector<Measurement>&);

/// What one of the two charts shows.
struct Quantity {
  std::string title;
  Pick pick;
  double unit = 1;  ///< values are multiplied by it
};

std::vector<Point> picked(const Quantity& quantity, const std::vector<Measurement>& measured) {
  std::vector<Point> points = quantity.pick(measured);
  for (Point& point : points) point.y *= quantity.unit;
  return points;
}

std::vector<Point> smooth_line(const std::vector<Point>& points) {
  if (points.size() < 3) return points;
  return smoothed(thinned(points, kMostPoints), kSmoothing * (points.back().x - points.front().x));
}

/// All that a chart has to hold: smoothed lines, points of the shown runs, validations.
std::pair<Range, Range> ranges(const Report& report, const Quantity& quantity) {
  Range x, y;
  x.include(0);
  for (const ReportRun& run : report.runs) {
    for (const auto* measured : {&run.curves.train, &run.curves.validation, &run.curves.retrain}) {
      for (const Point& point : picked(quantity, *measured)) {
        x.include(point.x);
        y.include(point.y);
      }
    }
  }
  return {x, y};
}

Axis value_axis(const Quantity& quantity, const Range& range) {
  Axis axis{.title = quantity.title, .range = range.padded(0.04)};
  if (quantity.unit > 1) {  // an accuracy in percent
    axis.range.high = std::min(axis.range.high, 100.0);
    axis.range.low = std::max(axis.range.low, 0.0);
  } else if (range.low > 0 && range.high / range.low > kLogarithmicFrom) {
    axis.range = {range.low / 1.1, range.high * 1.1};
    axis.logarithmic = true;
    axis.title += " (logarithmic)";
  }
  return axis;
}

std::optional<Point> chosen_point(const ReportRun& run, const Quantity& quantity) {
  const auto best = run.chosen();
  if (!best) return std::nullopt;
  const std::vector<Point> points = picked(quantity, {*best});
  return points.empty() ? std::nullopt : std::optional(points[0]);
}

void draw_run(Chart& chart, const Report& report, const ReportRun& run, const Quantity& quantity) {
  const int series = report.series(run);
  if (series < 0) {
    chart.line(smooth_line(picked(quantity, run.curves.train)), "rest");
    return;
  }
  const std::string css = fmt::format("s{}", series);
  for (const auto* measured : {&run.curves.train, &run.curves.retrain}) {
    const std::vector<Point> points = picked(quantity, *measured);
    const bool retraining = measured == &run.curves.retrain;
    chart.marks(thinned(points, kMostPoints), 0, "faint " + css, 1.6);
    chart.line(smooth_line(points), css + (retraining ? " again" : ""));
  }
  chart.marks(picked(quantity, run.curves.validation), series, "validation " + css, 3);
}

void draw_chosen(Chart& chart, const Report& report, const ReportRun& run,
                 const Quantity& quantity) {
  const auto point = chosen_point(run, quantity);
  const int series = report.series(run);
  if (!point || series < 0) return;
  const std::string label = fmt::format("best at {:.0f}", point->x);
  if (report.runs.size() == 1) chart.vertical(point->x, "best", label);
  chart.mark(*point, 0, fmt::format("ring s{}", series),
             fmt::format("{}: {}, {} {:.4g}", run.label, label, quantity.title, point->y), 7);
}

std::string chart_of(const Report& report, const Quantity& quantity) {
  const auto [x, y] = ranges(report, quantity);
  if (y.empty() || x.high == 0) return "";
  Chart chart(fmt::format("{} over the iterations of training", quantity.title),
              {.title = "iteration", .range = x}, value_axis(quantity, y));
  for (const ReportRun& run : report.runs) {
    if (report.series(run) < 0) draw_run(chart, report, run, quantity);
  }
  for (const size_t i : report.shown) draw_run(chart, report, report.runs[i], quantity);
  for (const size_t i : report.shown) draw_chosen(chart, report, report.runs[i], quantity);
  return figure(chart.svg(), quantity.title);
}

/// Rows at about `count` iterations spread over the training, for those who read numbers.
void add_rows(HtmlTable& table, const Report& report, const ReportRun& run, size_t count) {
  const auto cells = [](const std::vector<Measurement>& measured, size_t i) {
    const Measurement& m = measured[i];
    return std::pair<std::string, std::string>{
        fmt::format("{:.4g}", m.loss), m.accuracy ? fmt::format("{:.2f}", 100 * *m.accuracy) : ""};
  };
  const auto spread = [&](const std::vector<Measurement>& measured, const auto& add) {
    const size_t rows = std::min(count, measured.size());
    for (size_t r = 0; r < rows; ++r) add(((r + 1) * measured.size()) / rows - 1);
  };
  const auto add_training = [&](const std::vector<Measurement>& measured, const char* phase) {
    spread(measured, [&](size_t i) {
      const auto [loss, accuracy] = cells(measured, i);
      table.row({run_cell(report, run), phase, std::to_string(measured[i].iteration), loss, accuracy});
    });
  };
  add_training(run.curves.train, "training");
  add_training(run.curves.validation, "validation");
  add_training(run.curves.retrain, "retraining");
}

std::string numbers(const Report& report) {
  HtmlTable table("Training and validation at some iterations",
                  {{"run"}, {"of"}, {"iteration", true}, {"loss", true}, {"accuracy, %", true}});
  for (const size_t i : report.shown) add_rows(table, report, report.runs[i], 8);
  return folded("The curves as numbers", table.html());
}

/// Why training and validation may lie apart though nothing is wrong.
std::string tasks_note(const Report& report) {
  const Json episodes = report.best().spec.value("episodes", Json::object());
  const Json train = episodes.value("train", Json::object());
  const Json validation = episodes.value("validation", Json::object());
  const Json way = train.value("way", Json()), other = validation.value("way", Json());
  if (!way.is_number() || !other.is_number() || way == other) return "";
  return fmt::format(" Training tasks are {}-way, validation tasks {}-way, so their accuracies are "
                     "of different things.",
                     way.dump(), other.dump());
}

std::string reading_help(const Report& report) {
  bool validated = false, retrained = false;
  for (const ReportRun& run : report.runs) {
    validated = validated || !run.curves.validation.empty();
    retrained = retrained || !run.curves.retrain.empty();
  }
  std::string text = "Faint points: training tasks as logged; line: the same smoothed";
  if (validated) text += "; marks: validation; ring: the validation that was best";
  if (retrained) text += "; dotted line: training anew on training and validation classes together";
  return text + "." + tasks_note(report);
}

}  // namespace

Section curves_section(const Report& report) {
  const std::string charts = chart_of(report, {"loss", losses_of}) +
                             chart_of(report, {"accuracy, %", accuracies_of, 100});
  if (charts.empty()) return {};
  return {"training", "Training",
          paragraph(reading_help(report), "quiet") + legend(report) + "<div class=\"charts\">\n" +
              charts + "</div>\n" + numbers(report)};
}

}  // namespace kshot
