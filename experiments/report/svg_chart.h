#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kshot {

/// Multiples of 1, 2 or 5 times a power of ten within [low, high], about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count);
/// Powers of ten within [low, high], with 2 and 5 times them where that gives few, and not each of
/// them where there are many; both above 0.
std::vector<double> logarithmic_ticks(double low, double high);
/// "0.25", "12", "20k", "1.5M".
std::string tick_label(double value);

struct Point {
  double x = 0, y = 0;
  bool operator==(const Point&) const = default;
};

/// The values that an axis has to show.
struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  bool empty() const { return low > high; }
  void include(double value);
  /// Wider by `share` of its length on both sides; a single value gets a range around it.
  Range padded(double share) const;
};

/// One axis of a chart, in the unit of the values.
struct Axis {
  std::string title;
  Range range;
  bool logarithmic = false;
  std::vector<std::pair<double, std::string>> named_ticks = {};  ///< in the place of numbers

  std::vector<std::pair<double, std::string>> ticks(int count) const;
};

/// A drawing of points, lines and bars over two axes, as inline SVG; what lies outside the axes is
/// cut off. A logarithmic axis may run downwards, from its range's low to a lower high. Colours
/// come from the page: a mark belongs to the CSS classes that it is given, of which "s0" to "s5"
/// name a series. All text is escaped here.
class Chart {
 public:
  /// `title` tells what is drawn to whoever cannot see it. Sizes are in pixels of a wide screen.
  Chart(std::string title, Axis x, Axis y, double width = 480, double height = 300);

  void line(const std::vector<Point>& points, std::string_view css);
  /// A region between two curves over the same x.
  void band(const std::vector<Point>& lower, const std::vector<Point>& upper, std::string_view css);
  /// Marks whose shape tells series apart as their colour does; `series` counts from 0.
  void marks(const std::vector<Point>& points, int series, std::string_view css, double size = 3.5);
  /// One mark with text for the pointer.
  void mark(const Point& point, int series, std::string_view css, std::string_view tooltip,
            double size = 4.5);
  /// A bar from the x axis up.
  void bar(double from, double to, double height, std::string_view css, std::string_view tooltip);
  /// A line across with a label at its top or its foot.
  void vertical(double x, std::string_view css, std::string_view label, bool at_foot = false);

  std::string svg() const;

 private:
  double place_x(double x) const;
  double place_y(double y) const;
  std::string path(const std::vector<Point>& points, char first = 'M') const;
  std::string axes() const;

  std::string title_;
  Axis x_, y_;
  double width_, height_, left_;
  std::string content_;
};

/// The mark of a series as a small picture for a legend.
std::string legend_mark(int series);

/// How many series have a colour, dash and mark of their own.
constexpr int kSeries = 6;

}  // namespace kshot
