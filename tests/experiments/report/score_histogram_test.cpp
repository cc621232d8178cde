#include "experiments/report/score_histogram.h"

#include <doctest/doctest.h>

#include <numeric>

namespace kshot::score_histogram_test {

using doctest::Approx;

TEST_CASE("bins of accuracies have their edges between the possible values") {
  // 10 answers a task: 0.6, 0.7, ..., 1.0 are five values in five bins.
  const std::vector<double> values{0.6, 0.7, 0.7, 0.9, 1.0, 1.0, 1.0};
  const Histogram bins = filled(accuracy_bins(values, 10, 20), values);
  CHECK(bins.width == Approx(0.1));
  CHECK(bins.low == Approx(0.55));
  CHECK(bins.counts == std::vector<int64_t>{1, 2, 0, 1, 3});
  CHECK(bins.edge(5) == Approx(1.05));
}

TEST_CASE("where there are more values than bins, all bins hold equally many of them") {
  std::vector<double> values;  // 75 answers a task, each accuracy from 26/75 to 1 once
  for (int right = 26; right <= 75; ++right) values.push_back(right / 75.0);
  const Histogram bins = filled(accuracy_bins(values, 75, 10), values);
  CHECK(bins.counts == std::vector<int64_t>(10, 5));
  CHECK(bins.width == Approx(5 / 75.0));
}

TEST_CASE("the highest bin is full where the number of steps does not divide") {
  std::vector<double> values;
  for (int right = 0; right <= 10; ++right)
    values.push_back(right / 10.0);  // 11 values, 4 bins of 3
  const Histogram bins = filled(accuracy_bins(values, 10, 4), values);
  CHECK(bins.counts == std::vector<int64_t>{2, 3, 3, 3});
}

TEST_CASE("one value gives one bin") {
  const std::vector<double> values{0.5, 0.5};
  CHECK(filled(accuracy_bins(values, 4, 20), values).counts == std::vector<int64_t>{2});
  const std::vector<double> none{0, 0};
  CHECK(filled(error_bins(none, 20), none).counts == std::vector<int64_t>{2});
}

TEST_CASE("a few far errors do not flatten the others: the last bin takes them") {
  std::vector<double> values;
  for (int i = 0; i < 99; ++i) values.push_back(0.01 * i);
  values.push_back(1000);
  const Histogram bins = filled(error_bins(values, 20), values);
  CHECK(bins.open_end);
  CHECK(bins.edge(bins.counts.size()) < 1.1);
  CHECK(std::accumulate(bins.counts.begin(), bins.counts.end(), int64_t{0}) == 100);
}

TEST_CASE("bins of errors start at 0, are round and hold everything") {
  const std::vector<double> values{0.01, 0.3, 0.31, 2.4, 5.0, 5.1};
  const Histogram bins = filled(error_bins(values, 10), values);
  CHECK(bins.low == 0);
  CHECK(!bins.open_end);
  CHECK(bins.width == Approx(0.5));
  CHECK(bins.counts.front() == 3);
  CHECK(bins.counts.back() == 2);  // 5.0 opens the last bin
  CHECK(std::accumulate(bins.counts.begin(), bins.counts.end(), int64_t{0}) == 6);
}

}  // namespace kshot::score_histogram_test
