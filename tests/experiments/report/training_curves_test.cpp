#include "experiments/report/training_curves.h"

#include <doctest/doctest.h>

#include <cmath>

#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"

namespace kshot::training_curves_test {

using doctest::Approx;
using kshot::test::message_of;
using kshot::test::TemporaryFolder;

namespace {

constexpr const char* kTrain =
    R"({"iteration":100,"phase":"train","time":{"seconds":2.5},"train":{"accuracy":0.5,"loss":1.5}})";
constexpr const char* kValidation =
    R"({"iteration":100,"phase":"train","time":{"seconds":4},"validation":{"accuracy":0.7,"loss":0.9}})";
constexpr const char* kRetrain =
    R"({"iteration":50,"phase":"retrain","time":{"seconds":9},"train":{"loss":1.25}})";

TrainingCurves read(const std::string& text) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "metrics.jsonl", text);
  return read_curves(folder / "metrics.jsonl");
}

Measurement validation(int64_t iteration, double loss, double accuracy) {
  return {.iteration = iteration, .loss = loss, .accuracy = accuracy};
}

}  // namespace

TEST_CASE("a log is read into training, validation and retraining") {
  const TrainingCurves curves =
      read(std::string(kTrain) + "\n" + kValidation + "\n" + kRetrain + "\n");
  REQUIRE(curves.train.size() == 1);
  REQUIRE(curves.validation.size() == 1);
  REQUIRE(curves.retrain.size() == 1);
  CHECK(curves.train[0].loss == 1.5);
  CHECK(curves.validation[0].accuracy == 0.7);
  CHECK(!curves.retrain[0].accuracy);
  CHECK(curves.seconds == 9);
  CHECK(curves.last_iteration() == 100);
  CHECK((losses_of(curves.train) == std::vector<Point>{{100, 1.5}}));
  CHECK(accuracies_of(curves.retrain).empty());
}

TEST_CASE("no log, no curves") {
  const TemporaryFolder folder;
  CHECK(read_curves(folder / "metrics.jsonl").empty());
}

TEST_CASE("half a line at the end is of a training that still runs; elsewhere it is an error") {
  const std::string half = std::string(kValidation).substr(0, 40);
  const TrainingCurves running = read(fmt::format("{}\n{}", kTrain, half));
  CHECK(running.train.size() == 1);
  CHECK(running.validation.empty());
  const std::string within = fmt::format("{}\n{}\n{}\n", kTrain, half, kRetrain),
                    ended = half + "\n";
  CHECK(message_of([&] { read(within); }).find("metrics.jsonl:2: not a line of measurements") !=
        std::string::npos);
  CHECK(message_of([&] { read(ended); }).find("metrics.jsonl:1: ") != std::string::npos);
}

TEST_CASE("iterations must rise") {
  const std::string twice = fmt::format("{0}\n{1}\n{0}\n", kTrain, kValidation);
  CHECK(message_of([&] { read(twice); }).find("metrics.jsonl:3: iteration 100 stands behind") !=
        std::string::npos);
}

TEST_CASE("the best validation is the first of the highest accuracy, or of the lowest loss") {
  TrainingCurves curves;
  CHECK(!curves.best_validation("accuracy"));
  curves.validation = {validation(1, 0.9, 0.5), validation(2, 0.3, 0.8), validation(3, 0.2, 0.7),
                       validation(4, 0.5, 0.8)};
  CHECK(curves.best_validation("accuracy")->iteration == 2);
  CHECK(curves.best_validation("loss")->iteration == 3);
  for (Measurement& m : curves.validation) m.accuracy.reset();  // regressions have none
  CHECK(curves.best_validation("accuracy")->iteration == 3);
}

TEST_CASE("thinning averages stretches of equal length and leaves short curves alone") {
  const std::vector<Point> points{{0, 1}, {1, 3}, {2, 5}, {3, 7}};
  CHECK((thinned(points, 4) == points));
  CHECK((thinned(points, 2) == std::vector<Point>{{0.5, 2}, {2.5, 6}}));
  // A gap gives no point.
  const std::vector<Point> gap{{0, 1}, {1, 1}, {100, 4}, {101, 6}};
  CHECK((thinned(gap, 3) == std::vector<Point>{{0.5, 1}, {100.5, 5}}));
}

TEST_CASE("smoothing weighs neighbours by a Gaussian of their distance") {
  // Worked by hand for a deviation of 1: weights 1, e^-1/2, e^-2.
  const double near = std::exp(-0.5), far = std::exp(-2.0);
  const std::vector<Point> line = smoothed({{0, 0}, {1, 0}, {2, 6}}, 1);
  REQUIRE(line.size() == 3);
  CHECK(line[0].y == Approx(6 * far / (1 + near + far)));
  CHECK(line[1].y == Approx(6 * near / (1 + 2 * near)));
  CHECK(line[2].y == Approx(6 / (1 + near + far)));
  CHECK(line[1].x == 1);
}

TEST_CASE("smoothing keeps constants, and everything where it reaches no neighbour") {
  std::vector<Point> flat, wild;
  for (int i = 0; i < 50; ++i) {
    flat.push_back({i * 10.0, 3});
    wild.push_back({i * 10.0, static_cast<double>(i * i % 7)});
  }
  for (const Point& point : smoothed(flat, 35)) CHECK(point.y == Approx(3));
  const std::vector<Point> same = smoothed(wild, 1);
  for (size_t i = 0; i < wild.size(); ++i) CHECK(same[i].y == Approx(wild[i].y));
}

TEST_CASE("smoothing draws a noisy step where it is, without lag") {
  std::vector<Point> step;
  for (int i = 0; i <= 100; ++i)
    step.push_back({static_cast<double>(i), (i > 50    ? 1.0
                                             : i == 50 ? 0.5
                                                       : 0.0) +
                                                (i % 2 ? 0.1 : -0.1)});
  const std::vector<Point> line = smoothed(step, 5);
  CHECK(line[50].y == Approx(0.5).epsilon(0.05));
  CHECK(line[20].y == Approx(0).epsilon(0.02));
  CHECK(line[80].y == Approx(1).epsilon(0.02));
}

}  // namespace kshot::training_curves_test
