#include "experiments/report/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/html_page.h"

namespace kshot {
namespace {

constexpr double kTop = 30, kRight = 16, kBottom = 46, kTickGap = 6;
constexpr double kLetter = 7.2;  ///< width of a digit at the font size of the style, 13

/// Where a value lies between the ends of an axis: 0 to 1.
double share_of(const Axis& axis, double value) {
  const auto at = [&](double v) { return axis.logarithmic ? std::log(v) : v; };
  return (at(value) - at(axis.range.low)) / (at(axis.range.high) - at(axis.range.low));
}

double longest_label(const Axis& axis) {
  size_t longest = 1;
  for (const auto& [value, label] : axis.ticks(5)) longest = std::max(longest, label.size());
  return kLetter * static_cast<double>(longest);
}

/// Outlines around (0,0) of about the same weight: a filled shape for each series.
std::string shape(int series, double size, double x, double y) {
  const auto polygon = [&](std::initializer_list<Point> corners) {
    std::string text;
    for (const Point& c : corners)
      text += fmt::format("{:.1f},{:.1f} ", x + size * c.x, y + size * c.y);
    text.pop_back();
    return fmt::format("<polygon points=\"{}\"", text);
  };
  switch (series % kSeries) {
    case 1:
      return polygon({{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}});
    case 2:
      return polygon({{0, -1.2}, {1.15, .85}, {-1.15, .85}});
    case 3:
      return polygon({{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}});
    case 4:
      return polygon({{0, 1.2}, {1.15, -.85}, {-1.15, -.85}});
    case 5:
      return polygon({{-.4, -1.2},
                      {.4, -1.2},
                      {.4, -.4},
                      {1.2, -.4},
                      {1.2, .4},
                      {.4, .4},
                      {.4, 1.2},
                      {-.4, 1.2},
                      {-.4, .4},
                      {-1.2, .4},
                      {-1.2, -.4},
                      {-.4, -.4}});
    default:
      return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"", x, y, size);
  }
}

std::string with_tooltip(std::string_view tag, std::string_view closing, std::string_view tooltip) {
  if (tooltip.empty()) return fmt::format("{}/>", tag);
  return fmt::format("{}><title>{}</title></{}>", tag, html_escape(tooltip), closing);
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  if (!(rough > 0) || !std::isfinite(rough)) return {low};
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1, 2, 5}) {
    if (factor * power >= 0.999 * rough) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i == 0 ? 0 : i * step);
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  if (!(low > 0) || !std::isfinite(high)) return {low};
  const double first = std::floor(std::log10(low)), last = std::ceil(std::log10(high));
  const bool fine = std::log10(high / low) < 2.5;
  const double step = std::ceil((last - first) / 8);
  std::vector<double> ticks;
  for (double power = first; power <= last; power += std::max(1.0, step)) {
    for (const double factor : {1, 2, 5}) {
      const double value = factor * std::pow(10, power);
      const bool inside = value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
      if (inside && (factor == 1 || fine)) ticks.push_back(value);
    }
  }
  return ticks;
}

std::string tick_label(double value) {
  const double size = std::abs(value);
  if (size >= 1e6 && size < 1e9) return fmt::format("{:.6g}M", value / 1e6);
  if (size >= 1e4 && size < 1e6) return fmt::format("{:.6g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

void Range::include(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

Range Range::padded(double share) const {
  if (empty()) return {0, 1};
  if (high > low) return {low - share * (high - low), high + share * (high - low)};
  const double around = low == 0 ? 1 : std::abs(low) / 10;
  return {low - around, high + around};
}

std::vector<std::pair<double, std::string>> Axis::ticks(int count) const {
  if (!named_ticks.empty()) return named_ticks;
  std::vector<std::pair<double, std::string>> labelled;
  const auto values = logarithmic ? logarithmic_ticks(range.low, range.high)
                                  : nice_ticks(range.low, range.high, count);
  labelled.reserve(values.size());
  for (const double value : values) labelled.emplace_back(value, tick_label(value));
  return labelled;
}

Chart::Chart(std::string title, Axis x, Axis y, double width, double height)
    : title_(std::move(title)), x_(std::move(x)), y_(std::move(y)), width_(width), height_(height) {
  left_ = 8 + longest_label(y_) + kTickGap;
}

double Chart::place_x(double x) const {
  return left_ + share_of(x_, x) * (width_ - left_ - kRight);
}

double Chart::place_y(double y) const {
  return height_ - kBottom - share_of(y_, y) * (height_ - kBottom - kTop);
}

std::string Chart::path(const std::vector<Point>& points, char first) const {
  std::string text;
  for (const Point& point : points) {
    text += fmt::format("{}{:.1f} {:.1f}", text.empty() ? first : 'L', place_x(point.x),
                        place_y(point.y));
  }
  return text;
}

void Chart::line(const std::vector<Point>& points, std::string_view css) {
  if (points.empty()) return;
  content_ += fmt::format("<path class=\"line {}\" d=\"{}\"/>\n", css, path(points));
}

void Chart::band(const std::vector<Point>& lower, const std::vector<Point>& upper,
                 std::string_view css) {
  if (lower.empty()) return;
  const std::vector<Point> back(upper.rbegin(), upper.rend());
  content_ +=
      fmt::format("<path class=\"band {}\" d=\"{}{}Z\"/>\n", css, path(lower), path(back, 'L'));
}

void Chart::marks(const std::vector<Point>& points, int series, std::string_view css, double size) {
  if (points.empty()) return;
  content_ += fmt::format("<g class=\"mark {}\">", css);
  for (const Point& point : points)
    content_ += shape(series, size, place_x(point.x), place_y(point.y)) + "/>";
  content_ += "</g>\n";
}

void Chart::mark(const Point& point, int series, std::string_view css, std::string_view tooltip,
                 double size) {
  const std::string outline = shape(series, size, place_x(point.x), place_y(point.y));
  const std::string tag = series % kSeries == 0 ? "circle" : "polygon";
  content_ += with_tooltip(fmt::format("{} class=\"mark {}\"", outline, css), tag, tooltip) + "\n";
}

void Chart::bar(double from, double to, double height, std::string_view css,
                std::string_view tooltip) {
  const double left = place_x(from), top = place_y(height);
  const std::string tag = fmt::format(
      "<rect class=\"bar {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"", css,
      left, top, std::max(1.0, place_x(to) - left - 1), height_ - kBottom - top);
  content_ += with_tooltip(tag, "rect", tooltip) + "\n";
}

void Chart::vertical(double x, std::string_view css, std::string_view label, bool at_foot) {
  const double at = place_x(x);
  const bool right_half = at > (left_ + width_) / 2;
  content_ += fmt::format(
      "<path class=\"vertical {}\" d=\"M{:.1f} {}V{:.1f}\"/><text x=\"{:.1f}\" y=\"{}\" "
      "text-anchor=\"{}\">{}</text>\n",
      css, at, kTop, height_ - kBottom, at + (right_half ? -5 : 5),
      at_foot ? height_ - kBottom - 8 : kTop + 12, right_half ? "end" : "start",
      html_escape(label));
}

std::string Chart::axes() const {
  const double bottom = height_ - kBottom;
  std::string text;
  for (const auto& [value, label] : y_.ticks(5)) {
    const double y = place_y(value);
    text += fmt::format(
        "<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        left_, y, width_ - kRight, left_ - kTickGap, y + 4.5, html_escape(label));
  }
  for (const auto& [value, label] : x_.ticks(6)) {
    text += fmt::format(
        "<path class=\"grid\" d=\"M{0:.1f} {1:.1f}v5\"/><text x=\"{0:.1f}\" y=\"{2:.1f}\" "
        "text-anchor=\"middle\">{3}</text>\n",
        place_x(value), bottom, bottom + 19, html_escape(label));
  }
  text += fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", left_, bottom,
                      width_ - kRight);
  text +=
      fmt::format("<text class=\"axis-title\" x=\"8\" y=\"16\">{}</text>\n", html_escape(y_.title));
  text += fmt::format(
      "<text class=\"axis-title\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
      (left_ + width_ - kRight) / 2, height_ - 6, html_escape(x_.title));
  return text;
}

std::string Chart::svg() const {
  // What lies outside the axes is cut off by an inner picture, with room for marks on its edge.
  constexpr double kRoom = 9;
  const double x = left_ - kRoom, y = kTop - kRoom;
  const double wide = width_ - kRight + kRoom - x, high = height_ - kBottom + kRoom - y;
  return fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" role=\"img\"><title>{2}</title>\n{3}"
      "<svg x=\"{4:.1f}\" y=\"{5:.1f}\" width=\"{6:.1f}\" height=\"{7:.1f}\" viewBox=\"{4:.1f} "
      "{5:.1f} {6:.1f} {7:.1f}\">\n{8}</svg></svg>\n",
      width_, height_, html_escape(title_), axes(), x, y, wide, high, content_);
}

std::string legend_mark(int series) {
  return fmt::format(
      "<svg class=\"key\" viewBox=\"0 0 34 14\" aria-hidden=\"true\"><path class=\"line s{0}\" "
      "d=\"M1 7H33\"/>{1} class=\"mark s{0}\"/></svg>",
      series % kSeries, shape(series, 4, 17, 7));
}

}  // namespace kshot
