#include "framework/run/prefetcher.h"

#include <atomic>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/toy_learning.h"

namespace kshot {
namespace {

std::vector<Episodes> loaded_directly(const TaskSource& source, int64_t meta_batch,
                                      int64_t iteration) {
  std::vector<TaskPlan> plans;
  for (int64_t t = 0; t < meta_batch; ++t)
    plans.push_back(source.plan(static_cast<uint64_t>(iteration * meta_batch + t)));
  return load_groups(source, plans);
}

void check_same(const std::vector<Episodes>& a, const std::vector<Episodes>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t g = 0; g < a.size(); ++g) {
    CHECK((a[g].plans == b[g].plans));
    CHECK(torch::equal(a[g].support.inputs, b[g].support.inputs));
    CHECK(torch::equal(a[g].query.inputs, b[g].query.inputs));
    CHECK(torch::equal(a[g].query.targets, b[g].query.targets));
  }
}

TEST_CASE(
    "prefetched tasks are those that loading directly gives, from any iteration on, at any depth") {
  const auto source = test::toy_tasks({"train"}, {.way = 3, .shot = 1, .query = 2});
  for (const int64_t depth : {1, 2, 5}) {
    for (const int64_t first : {0, 4}) {
      Prefetcher feed(source, 3, first, first + 5, depth);
      for (int64_t i = first; i < first + 5; ++i)
        check_same(feed.next(), loaded_directly(*source, 3, i));
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
  Prefetcher feed(std::make_shared<Failing>(4), 2, 0, 10);
  CHECK(feed.next()[0].plans[0].index == 0);
  CHECK(feed.next()[0].plans[0].index == 2);
  for (int again = 0; again < 2; ++again) {
    const auto error = test::caught([&] { feed.next(); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()) == "image 4 is broken");
  }
}

TEST_CASE("a prefetcher that nobody reads stops at its depth and ends at once") {
  const auto source = std::make_shared<Failing>(1u << 30);
  {
    Prefetcher feed(source, 1, 0, 1 << 29, 2);
    feed.next();
  }
  CHECK(source->loads <= 4);  // one taken, two waiting, one in hand
}

TEST_CASE("to ask for more than was to be prefetched is a defect, not a wait without end") {
  Prefetcher feed(std::make_shared<test::ScriptedSource>(), 1, 0, 2);
  feed.next();
  feed.next();
  const auto error = test::caught([&] { feed.next(); });
  REQUIRE(error);
  CHECK(error->code() == Exit::internal);
}

TEST_CASE("no iterations, no tasks") {
  const auto source = std::make_shared<Failing>(0);
  {
    Prefetcher feed(source, 1, 5, 5);
  }
  CHECK(source->loads == 0);
}

}  // namespace
}  // namespace kshot
