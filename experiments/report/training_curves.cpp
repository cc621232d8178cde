#include "experiments/report/training_curves.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/fields.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

Measurement measurement_of(int64_t iteration, const Json& block) {
  Measurement measured{.iteration = iteration, .loss = block.at("loss"), .accuracy = {}};
  if (block.contains("accuracy")) measured.accuracy = block["accuracy"].get<double>();
  return measured;
}

void add_line(const Json& line, TrainingCurves& curves) {
  const int64_t iteration = line.at("iteration");
  const bool validating = line.contains("validation");
  const bool retraining = line.value("phase", "train") == "retrain";
  auto& measured = validating ? curves.validation : retraining ? curves.retrain : curves.train;
  if (!measured.empty() && iteration <= measured.back().iteration) {
    throw Error(Exit::bad_data, "iteration {} stands behind iteration {}", iteration,
                measured.back().iteration);
  }
  measured.push_back(measurement_of(iteration, line.at(validating ? "validation" : "train")));
  curves.seconds = line.value("time", Json::object()).value("seconds", curves.seconds);
}

}  // namespace

int64_t TrainingCurves::last_iteration() const {
  int64_t last = 0;
  for (const auto* measured : {&train, &validation, &retrain}) {
    if (!measured->empty()) last = std::max(last, measured->back().iteration);
  }
  return last;
}

std::optional<Measurement> TrainingCurves::best_validation(const std::string& select_by) const {
  if (validation.empty()) return std::nullopt;
  const bool by_accuracy = select_by == "accuracy" && validation[0].accuracy.has_value();
  return *std::min_element(
      validation.begin(), validation.end(), [&](const Measurement& a, const Measurement& b) {
        return by_accuracy ? a.accuracy.value_or(0) > b.accuracy.value_or(0) : a.loss < b.loss;
      });
}

TrainingCurves read_curves(const std::filesystem::path& metrics) {
  TrainingCurves curves;
  if (!std::filesystem::exists(metrics)) return curves;
  std::istringstream text(read_file(metrics));
  int64_t number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const Json json = parse_strict(line).value;
    if (json.is_discarded() && text.eof()) break;
    try {
      add_line(json, curves);
    } catch (const Json::exception& problem) {
      throw Error(Exit::bad_data, "{}:{}: not a line of measurements: {}", metrics.string(), number,
                  problem.what());
    } catch (const Error& problem) {
      throw Error(Exit::bad_data, "{}:{}: {}", metrics.string(), number, problem.what());
    }
  }
  return curves;
}

std::vector<Point> losses_of(const std::vector<Measurement>& measured) {
  std::vector<Point> points;
  points.reserve(measured.size());
  for (const Measurement& m : measured)
    points.push_back({static_cast<double>(m.iteration), m.loss});
  return points;
}

std::vector<Point> accuracies_of(const std::vector<Measurement>& measured) {
  std::vector<Point> points;
  for (const Measurement& m : measured) {
    if (m.accuracy) points.push_back({static_cast<double>(m.iteration), *m.accuracy});
  }
  return points;
}

std::vector<Point> thinned(const std::vector<Point>& points, size_t most) {
  if (points.size() <= most) return points;
  const double first = points.front().x, length = points.back().x - first;
  std::vector<Point> sums(most);
  std::vector<double> counts(most);
  for (const Point& point : points) {
    const auto place = static_cast<size_t>((point.x - first) / length * static_cast<double>(most));
    const size_t stretch = std::min(place, most - 1);
    sums[stretch].x += point.x;
    sums[stretch].y += point.y;
    counts[stretch] += 1;
  }
  std::vector<Point> means;
  for (size_t i = 0; i < most; ++i) {
    if (counts[i] > 0) means.push_back({sums[i].x / counts[i], sums[i].y / counts[i]});
  }
  return means;
}

std::vector<Point> smoothed(const std::vector<Point>& points, double deviation) {
  constexpr double kReach = 4;  // beyond it a weight is below 4e-4
  std::vector<Point> result;
  result.reserve(points.size());
  auto first = points.begin();
  for (const Point& centre : points) {
    while (centre.x - first->x > kReach * deviation) ++first;
    double sum = 0, weights = 0;
    for (auto it = first; it != points.end() && it->x - centre.x <= kReach * deviation; ++it) {
      const double distance = deviation > 0 ? (it->x - centre.x) / deviation : 0;
      const double weight = std::exp(-distance * distance / 2);
      sum += weight * it->y;
      weights += weight;
    }
    result.push_back({centre.x, sum / weights});
  }
  return result;
}

}  // namespace kshot
