#include "experiments/report/svg_chart.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kshot::svg_chart_test {

using doctest::Approx;

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("ticks are multiples of 1, 2 or 5 times a power of ten, within the range") {
  CHECK(nice_ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(nice_ticks(0, 60000, 6) ==
        std::vector<double>{0, 10000, 20000, 30000, 40000, 50000, 60000});
  CHECK(nice_ticks(-3, 3.5, 5) == std::vector<double>{-2, 0, 2});
  const std::vector<double> fine = nice_ticks(0.912, 0.988, 4);
  REQUIRE(fine.size() == 4);
  CHECK(fine[0] == Approx(0.92));
  CHECK(fine[3] == Approx(0.98));
}

TEST_CASE("a range without length has one tick") { CHECK(nice_ticks(7, 7, 5) == std::vector{7.0}); }

TEST_CASE("logarithmic ticks are powers of ten, with 2 and 5 times them over few decades") {
  const std::vector<double> few = logarithmic_ticks(0.04, 1.5);
  REQUIRE(few.size() == 5);  // 0.05, 0.1, 0.2, 0.5, 1
  CHECK(few[0] == Approx(0.05));
  CHECK(few[4] == Approx(1));
  CHECK(logarithmic_ticks(1e-3, 1e3).size() == 7);
  CHECK(logarithmic_ticks(1e-15, 1e15).size() <= 9);
  CHECK(logarithmic_ticks(1, HUGE_VAL).size() == 1);
}

TEST_CASE("ticks read well") {
  CHECK(tick_label(0.25) == "0.25");
  CHECK(tick_label(500) == "500");
  CHECK(tick_label(20000) == "20k");
  CHECK(tick_label(12500) == "12.5k");
  CHECK(tick_label(1500000) == "1.5M");
}

TEST_CASE("a single value gets a range around it") {
  Range range;
  CHECK(range.empty());
  range.include(5);
  const Range around = range.padded(0.1);
  CHECK(around.low < 5);
  CHECK(around.high > 5);
  range.include(15);
  CHECK(range.padded(0.1).low == Approx(4));
  CHECK(range.padded(0.1).high == Approx(16));
}

TEST_CASE("points lie in proportion to their values") {
  Chart chart("t", {.title = "x", .range = {0, 10}}, {.title = "y", .range = {0, 1}}, 400, 300);
  chart.line({{0, 0}, {5, 0.5}, {10, 1}}, "s0");
  const std::string svg = chart.svg();
  const size_t at = svg.find("<path class=\"line s0\" d=\"M");
  REQUIRE(at != std::string::npos);
  double x[3], y[3];
  REQUIRE(std::sscanf(svg.c_str() + at, "<path class=\"line s0\" d=\"M%lf %lfL%lf %lfL%lf %lf",
                      &x[0], &y[0], &x[1], &y[1], &x[2], &y[2]) == 6);
  CHECK(x[1] - x[0] == Approx(x[2] - x[1]).epsilon(0.01));
  CHECK(y[0] - y[1] == Approx(y[1] - y[2]).epsilon(0.01));
  CHECK(y[2] < y[0]);  // upwards
}

TEST_CASE("a logarithmic axis puts 1, 10 and 100 at equal distances") {
  Chart chart("t", {.title = "x", .range = {1, 100}, .logarithmic = true},
              {.title = "y", .range = {0, 1}}, 400, 300);
  chart.line({{1, 0}, {10, 0}, {100, 0}}, "s0");
  const std::string svg = chart.svg();
  double x[3], y[3];
  REQUIRE(std::sscanf(svg.c_str() + svg.find("d=\"M", svg.find("line s0")),
                      "d=\"M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1], &x[2],
                      &y[2]) == 6);
  CHECK(x[1] - x[0] == Approx(x[2] - x[1]).epsilon(0.01));
}

TEST_CASE("a logarithmic axis may run downwards") {
  Chart chart("t", {.title = "x", .range = {0, 1}},
              {.title = "y", .range = {100, 1}, .logarithmic = true, .named_ticks = {{10, "90"}}},
              400, 300);
  chart.line({{0, 100}, {0.5, 10}, {1, 1}}, "s0");
  const std::string svg = chart.svg();
  double x[3], y[3];
  REQUIRE(std::sscanf(svg.c_str() + svg.find("d=\"M", svg.find("line s0")),
                      "d=\"M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1], &x[2],
                      &y[2]) == 6);
  CHECK(y[0] - y[1] == Approx(y[1] - y[2]).epsilon(0.01));
  CHECK(y[2] < y[0]);
  CHECK(svg.find(">90</text>") != std::string::npos);
}

TEST_CASE("what lies outside the axes is cut off") {
  Chart chart("t", {.title = "x", .range = {0, 1}}, {.title = "y", .range = {0, 1}}, 400, 300);
  chart.line({{0, 0}, {1, 1e6}}, "s0");
  const std::string svg = chart.svg();
  const size_t inner = svg.find("<svg x=");
  REQUIRE(inner != std::string::npos);
  CHECK(svg.find("class=\"line s0\"") > inner);
  CHECK(svg.find("class=\"axis\"") < inner);
}

TEST_CASE("a chart has a name and escapes what it is told") {
  const std::string hostile = "<script>alert('x')</script>&\"";
  Chart chart(hostile, {.title = hostile, .range = {0, 1}}, {.title = hostile, .range = {0, 1}});
  chart.mark({0.5, 0.5}, 0, "s0", hostile);
  chart.mark({0.5, 0.5}, 3, "s3", hostile);
  chart.bar(0, 1, 0.5, "s0", hostile);
  chart.vertical(0.5, "best", hostile);
  const std::string svg = chart.svg();
  CHECK(svg.find("<script>") == std::string::npos);
  CHECK(count(svg, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;") == 7);
  CHECK(svg.find("role=\"img\"><title>&lt;script&gt;") != std::string::npos);
}

TEST_CASE("each series has a mark of its own shape") {
  std::vector<std::string> marks;
  for (int series = 0; series < kSeries; ++series) {
    std::string mark = legend_mark(series);
    mark.erase(0, mark.find("/>") + 2);  // the line
    mark.erase(mark.find(" class="));
    CHECK(std::find(marks.begin(), marks.end(), mark) == marks.end());
    marks.push_back(mark);
  }
}

}  // namespace kshot::svg_chart_test
