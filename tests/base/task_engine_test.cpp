#include "framework/base/task_engine.h"

#include <atomic>
#include <chrono>

#include "framework/base/rng.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::task_engine_test {

using test::caught;
using test::message_of;

namespace {

/// Keeps a worker busy for a time that depends on the item, so that they finish out of order.
void linger(int64_t item) {
  std::this_thread::sleep_for(std::chrono::microseconds(item * 7919 % 13 * 100));
}

/// A sum in single precision, whose bits depend on the order of its terms.
float sum_of_items(int threads, int64_t count) {
  TaskEngine engine(threads);
  float sum = 0;
  engine.run<float>(
      count, 1,
      [](int64_t item) {
        linger(item);
        return static_cast<float>(
            Stream(1, Purpose::algorithm, static_cast<uint64_t>(item)).normal());
      },
      [&](int64_t, float value) { sum += value; });
  return sum;
}

/// Counts how many of its kind are alive.
class Counted {
 public:
  explicit Counted(std::atomic<int>& alive, std::atomic<int>& most) : alive_(&alive) {
    const int now = ++*alive_;
    int seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
  }
  Counted(Counted&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (alive_ != nullptr) --*alive_;
  }

 private:
  std::atomic<int>* alive_;
};

}  // namespace

TEST_CASE("results are taken in order of the items, each once, whatever the number of threads") {
  for (const int threads : {1, 2, 5}) {
    TaskEngine engine(threads);
    CHECK(engine.threads() == threads);
    std::vector<int64_t> taken, squares;
    engine.run<int64_t>(
        40, 1,
        [](int64_t item) {
          linger(item);
          return item * item;
        },
        [&](int64_t item, int64_t square) {
          taken.push_back(item);
          squares.push_back(square);
        });
    REQUIRE(taken.size() == 40);
    for (int64_t i = 0; i < 40; ++i) {
      CHECK(taken[static_cast<size_t>(i)] == i);
      CHECK(squares[static_cast<size_t>(i)] == i * i);
    }
  }
}

TEST_CASE("a sum over tasks has the same bits with 1, 2 and 4 threads") {
  const float one = sum_of_items(1, 60);
  CHECK(sum_of_items(2, 60) == one);
  CHECK(sum_of_items(4, 60) == one);
}

TEST_CASE("an engine serves many runs, empty ones included") {
  TaskEngine engine(2);
  for (int64_t count : {0, 1, 7, 0, 3}) {
    int64_t taken = 0;
    engine.run<int>(count, 1, [](int64_t) { return 1; }, [&](int64_t, int one) { taken += one; });
    CHECK(taken == count);
  }
}

TEST_CASE("workers have the intra-op threads of the run, not of the machine or the caller") {
  TaskEngine engine(2);
  for (const int intra_op : {1, 2, 1}) {
    engine.run<int>(
        6, intra_op, [](int64_t) { return at::get_num_threads(); },
        [&](int64_t, int found) { CHECK(found == intra_op); });
  }
}

TEST_CASE("at most two results are alive per worker, however long one item takes") {
  constexpr int kThreads = 3;
  TaskEngine engine(kThreads);
  std::atomic<int> alive{0}, most{0};
  engine.run<Counted>(
      60, 1,
      [&](int64_t item) {
        if (item % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return Counted(alive, most);
      },
      [](int64_t, Counted) {});
  CHECK(alive == 0);
  CHECK(most <= 2 * kThreads);
}

TEST_CASE("the first failing item is the one that is thrown, and the engine goes on afterwards") {
  for (const int threads : {1, 2, 4}) {
    TaskEngine engine(threads);
    std::vector<int64_t> taken;
    const auto fail = [&] {
      engine.run<int64_t>(
          30, 1,
          [](int64_t item) {
            if (item == 9) std::this_thread::sleep_for(std::chrono::milliseconds(20));
            if (item >= 9) throw Error(Exit::diverged, "task {}", item);
            return item;
          },
          [&](int64_t item, int64_t) { taken.push_back(item); });
    };
    CHECK(message_of(fail) == "task 9");
    CHECK(taken.size() <= 9);
    int64_t sum = 0;
    engine.run<int64_t>(
        5, 1, [](int64_t item) { return item; }, [&](int64_t, int64_t item) { sum += item; });
    CHECK(sum == 10);
  }
}

TEST_CASE("what taking throws ends the run as well") {
  TaskEngine engine(2);
  const auto error = caught([&] {
    engine.run<int64_t>(
        20, 1, [](int64_t item) { return item; },
        [](int64_t item, int64_t) {
          if (item == 4) throw Error(Exit::io, "item {}", item);
        });
  });
  REQUIRE(error);
  CHECK(std::string(error->what()) == "item 4");
}

}  // namespace kshot::task_engine_test
