#include "framework/run/meta_batch.h"

#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"

namespace kshot::meta_batch_test {

std::vector<std::vector<uint64_t>> indices_of(const std::vector<TaskPlan>& plans, bool batched) {
  std::vector<std::vector<uint64_t>> pieces;
  for (const auto& piece : cut_plans(plans, batched)) {
    std::vector<uint64_t>& indices = pieces.emplace_back();
    for (const TaskPlan& plan : piece) indices.push_back(plan.index);
  }
  return pieces;
}

TEST_CASE("plans are cut into single tasks, or into runs of equal shape; none is lost or moved") {
  const std::vector<TaskPlan> plans = plans_of(test::MixedSource(), 0, 8);
  using Pieces = std::vector<std::vector<uint64_t>>;
  CHECK(indices_of(plans, false) == Pieces{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}});
  CHECK(indices_of(plans, true) == Pieces{{0, 1}, {2}, {3, 4, 5}, {6}, {7}});
  CHECK(indices_of({}, true).empty());
}

TEST_CASE("an iteration has the plans that follow the last one's") {
  const test::ScriptedSource source;
  const std::vector<TaskPlan> plans = plans_of(source, 3, 4);
  REQUIRE(plans.size() == 4);
  for (uint64_t t = 0; t < 4; ++t) CHECK((plans[t] == source.plan(12 + t)));
}

}  // namespace kshot::meta_batch_test
