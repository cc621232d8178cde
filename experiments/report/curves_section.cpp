// How training went: loss and accuracy over the iterations.
#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kMostPoints = 300;      ///< of a curve; more are averaged
constexpr double kSmoothing = 0.02;      ///< of the length of training
constexpr double kSmoothedPoints = 1.5;  ///< but this many of their distances at least
constexpr double kLogarithmicFrom = 30;  ///< highest loss over lowest

using Pick = std::vector<Point> (*)(const std::vector<Measurement>&);

/// What one of the two charts shows.
struct Quantity {
  std::string title;
  Pick pick;
  enum class As { loss, percent, percent_wrong } as = As::loss;  ///< unit of what is drawn
};

std::vector<Point> picked(const Quantity& quantity, const std::vector<Measurement>& measured) {
  constexpr double kLeastWrong = 0.05;  // a logarithm has no 0
  std::vector<Point> points = quantity.pick(measured);
  for (Point& point : points) {
    if (quantity.as == Quantity::As::percent) point.y *= 100;
    if (quantity.as == Quantity::As::percent_wrong)
      point.y = std::max(kLeastWrong, 100 - 100 * point.y);
  }
  return points;
}

/// Over at least a few points, however few there are.
std::vector<Point> smooth_line(const std::vector<Point>& points) {
  if (points.size() < 3) return points;
  const std::vector<Point> few = thinned(points, kMostPoints);
  const double length = few.back().x - few.front().x;
  const double spacing = length / static_cast<double>(few.size() - 1);
  return smoothed(few, std::max(kSmoothing * length, kSmoothedPoints * spacing));
}

/// All points that a chart might hold.
std::vector<Point> all_points(const Report& report, const Quantity& quantity) {
  std::vector<Point> all;
  for (const ReportRun& run : report.runs) {
    for (const auto* measured : {&run.curves.train, &run.curves.validation, &run.curves.retrain}) {
      const std::vector<Point> points = picked(quantity, *measured);
      all.insert(all.end(), points.begin(), points.end());
    }
  }
  return all;
}

/// A training that blew up must not flatten all others: what lies far above most is cut off.
Range values_worth_showing(const std::vector<Point>& points) {
  std::vector<double> values;
  for (const Point& point : points) values.push_back(point.y);
  std::sort(values.begin(), values.end());
  const double most = values[values.size() * 9 / 10], fence = 20 * std::abs(most);
  const auto end = std::upper_bound(values.begin(), values.end(), fence);
  return {values.front(), end == values.begin() ? values.back() : *(end - 1)};
}

Axis loss_axis(const Quantity& quantity, const Range& range) {
  Axis axis{.title = quantity.title, .range = range.padded(0.04)};
  if (range.low > 0 && range.high / range.low > kLogarithmicFrom) {
    axis.range = {range.low / 1.1, range.high * 1.1};
    axis.logarithmic = true;
    axis.title += " (logarithmic)";
  }
  return axis;
}

/// Near 100 % what counts is how many are wrong: that is drawn to a logarithmic scale, downwards,
/// and labelled with what is right.
Axis wrong_axis(const Quantity& quantity, const Range& wrong) {
  Axis axis{.title = quantity.title + " (logarithmic in the error)",
            .range = {wrong.high * 1.1, wrong.low / 1.1},
            .logarithmic = true};
  for (const double share : {80.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1}) {
    if (share <= axis.range.low && share >= axis.range.high)
      axis.named_ticks.emplace_back(share, tick_label(100 - share));
  }
  if (axis.named_ticks.size() < 2) {
    axis.named_ticks.clear();
    for (const double share : {axis.range.low, axis.range.high})
      axis.named_ticks.emplace_back(share, fmt::format("{:.4g}", 100 - share));
  }
  return axis;
}

Axis axis_of(const Quantity& quantity, const Range& range) {
  if (quantity.as == Quantity::As::percent_wrong) return wrong_axis(quantity, range);
  if (quantity.as == Quantity::As::loss) return loss_axis(quantity, range);
  Axis axis{.title = quantity.title, .range = range.padded(0.04)};
  axis.range.high = std::min(axis.range.high, 100.0);
  axis.range.low = std::max(axis.range.low, 0.0);
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
  const std::vector<Point> validations = picked(quantity, run.curves.validation);
  const bool many = validations.size() > 40;
  chart.marks(thinned(validations, kMostPoints), series, (many ? "" : "validation ") + css,
              many ? 1.7 : 3);
}

void draw_chosen(Chart& chart, const Report& report, const ReportRun& run,
                 const Quantity& quantity) {
  const auto point = chosen_point(run, quantity);
  const int series = report.series(run);
  if (!point || series < 0) return;
  const std::string label = fmt::format("best at {:.0f}", point->x);
  if (report.runs.size() == 1)
    chart.vertical(point->x, "best", label, quantity.as != Quantity::As::loss);
  chart.mark(*point, 0, fmt::format("ring s{}", series),
             fmt::format("{}: {}, {}", run.label, label, run.score().told(*run.validation_score())),
             7);
}

std::string chart_of(const Report& report, const Quantity& quantity) {
  const std::vector<Point> points = all_points(report, quantity);
  Range x;
  x.include(0);
  for (const Point& point : points) x.include(point.x);
  if (x.high == 0) return "";
  const Range y = values_worth_showing(points);
  Chart chart(fmt::format("{} over the iterations of training", quantity.title),
              {.title = "iteration", .range = x}, axis_of(quantity, y));
  for (const ReportRun& run : report.runs) {
    if (report.series(run) < 0) draw_run(chart, report, run, quantity);
  }
  for (const size_t i : report.shown) draw_run(chart, report, report.runs[i], quantity);
  for (const size_t i : report.shown) draw_chosen(chart, report, report.runs[i], quantity);
  return figure(chart.svg(), "");
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
      table.row(
          {run_cell(report, run), phase, std::to_string(measured[i].iteration), loss, accuracy});
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
  std::set<int64_t> training, validation;
  for (const ReportRun& run : report.runs) {
    const Json episodes = run.spec.value("episodes", Json::object());
    for (const auto& [split, ways] : {std::pair{"train", &training}, {"validation", &validation}}) {
      const Json way = episodes.value(split, Json::object()).value("way", Json());
      if (way.is_number_integer()) ways->insert(way.get<int64_t>());
    }
  }
  if (training.empty() || validation.empty() || training == validation) return "";
  return fmt::format(
      " Training tasks are {}-way, validation tasks {}-way: their accuracies are of different "
      "things.",
      fmt::join(training, " or "), fmt::join(validation, " or "));
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
  const Quantity loss{.title = "loss", .pick = losses_of};
  Quantity accuracy{.title = "accuracy, %", .pick = accuracies_of, .as = Quantity::As::percent};
  constexpr double kNearPerfect = 95;
  const std::vector<Point> points = all_points(report, accuracy);
  if (std::any_of(points.begin(), points.end(),
                  [](const Point& point) { return point.y > kNearPerfect; }))
    accuracy.as = Quantity::As::percent_wrong;
  const std::string charts = chart_of(report, loss) + chart_of(report, accuracy);
  if (charts.empty()) return {};
  return {"training", "Training",
          paragraph(reading_help(report), "quiet") + legend(report) + "<div class=\"charts\">\n" +
              charts + "</div>\n" + numbers(report)};
}

}  // namespace kshot
