#include "framework/run/prefetcher.h"

#include <atomic>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/toy_learning.h"

namespace kshot::prefetcher_test {

void check_same(const Episodes& a, const Episodes& b) {
  CHECK((a.plans == b.plans));
  CHECK(torch::equal(a.support.inputs, b.support.inputs));
  CHECK(torch::equal(a.query.inputs, b.query.inputs));
  CHECK(torch::equal(a.query.targets, b.query.targets));
}

TEST_CASE(
    "prefetched tasks are those that loading directly gives, from any iteration on, however many "
    "are loaded ahead") {
  const auto source = test::toy_tasks({"train"}, {.way = 3, .shot = 1, .query = 2});
  for (const bool batched : {false, true}) {
    for (const int64_t ahead : {1, 2, 5}) {
      for (const int64_t first : {0, 4}) {
        Prefetcher feed(source, 3, batched, first, first + 5, ahead);
        for (int64_t iteration = first; iteration < first + 5; ++iteration) {
          const MetaBatch direct =
              test::meta_batch(*source, plans_of(*source, iteration, 3), batched);
          const MetaBatch prefetched = feed.next();
          REQUIRE(prefetched.pieces == direct.pieces);
          for (int64_t i = 0; i < direct.pieces; ++i)
            check_same(prefetched.take(i), direct.take(i));
        }
      }
    }
  }
}

/// Fails to load the tasks from one index on, and counts what it loads.
class Failing final : public test::ScriptedSource {
 public:
  explicit Failing(uint64_t from) : from_(from) {}
  Episodes load(std::span<const TaskPlan> plans) const override {
    if (plans[0].index >= from_) throw Error(Exit::bad_data, "image {} is broken", plans[0].index);
    ++loads;
    return ScriptedSource::load(plans);
  }
  mutable std::atomic<int> loads{0};

 private:
  uint64_t from_;
};

TEST_CASE("what loading throws comes out in its turn, after the tasks before it, and stays") {
  Prefetcher feed(std::make_shared<Failing>(3), 2, false, 0, 10, 2);
  const auto index = [](const Episodes& task) { return task.plans[0].index; };
  MetaBatch tasks = feed.next();
  CHECK(index(tasks.take(0)) == 0);
  CHECK(index(tasks.take(1)) == 1);
  tasks = feed.next();
  CHECK(index(tasks.take(0)) == 2);
  const auto check_broken = [](const auto& call) {
    const auto error = test::caught(call);
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()) == "image 3 is broken");
  };
  for (int again = 0; again < 2; ++again) {
    check_broken([&] { tasks.take(1); });
    check_broken([&] { feed.next(); });
  }
}

TEST_CASE("no more is loaded ahead than asked for, however large the meta-batch") {
  for (const int64_t meta_batch : {1, 100}) {
    CAPTURE(meta_batch);
    const auto source = std::make_shared<Failing>(1u << 30);
    {
      Prefetcher feed(source, meta_batch, false, 0, 1 << 29, 3);
      feed.next().take(0);
    }
    CHECK(source->loads >= 1);
    CHECK(source->loads <= 4);  // one taken, three waiting
  }
}

TEST_CASE("to ask for more than was to be prefetched is a defect, not a wait without end") {
  Prefetcher feed(std::make_shared<test::ScriptedSource>(), 1, false, 0, 2, 2);
  for (int i = 0; i < 2; ++i) feed.next().take(0);
  const auto error = test::caught([&] { feed.next(); });
  REQUIRE(error);
  CHECK(error->code() == Exit::internal);
}

TEST_CASE("no iterations, no tasks") {
  const auto source = std::make_shared<Failing>(0);
  {
    Prefetcher feed(source, 1, false, 5, 5, 2);
  }
  CHECK(source->loads == 0);
}

}  // namespace kshot::prefetcher_test
