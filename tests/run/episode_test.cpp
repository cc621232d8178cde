#include <cmath>

#include "framework/base/sha256.h"
#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"

namespace kshot::episode_test {

Episodes three_tasks() {
  const test::ScriptedSource source;
  std::vector<TaskPlan> plans;
  for (uint64_t i = 0; i < 3; ++i) plans.push_back(source.plan(i));
  return source.load(plans);
}

TEST_CASE("a slice holds its tasks and shares their memory") {
  const Episodes all = three_tasks(), slice = all.slice(1, 2);
  CHECK(slice.tasks() == 2);
  CHECK(slice.outputs == all.outputs);
  REQUIRE(slice.plans.size() == 2);
  CHECK(slice.plans[0] == all.plans[1]);
  CHECK(torch::equal(slice.query.inputs, all.query.inputs.narrow(0, 1, 2)));
  CHECK(slice.query.inputs.data_ptr() == all.query.inputs[1].data_ptr());
}

TEST_CASE("a new dtype is for inputs and real-valued targets; labels stay integers") {
  Episodes episodes = three_tasks();
  CHECK(episodes.to(torch::kCPU, torch::kDouble).query.inputs.scalar_type() == torch::kDouble);
  CHECK(episodes.to(torch::kCPU, torch::kDouble).query.targets.scalar_type() == torch::kLong);
  episodes.query.targets = torch::zeros({3, 10, 1});
  CHECK(episodes.to(torch::kCPU, torch::kDouble).query.targets.scalar_type() == torch::kDouble);
}

TEST_CASE("shapes are equal if way, support and query sizes are") {
  TaskPlan a;
  a.outputs = 2, a.support = {1, 2}, a.query = {3};
  TaskPlan b = a;
  b.index = 7, b.support = {5, 6}, b.classes = {9, 8};
  CHECK(a.same_shape(b));
  b.query.push_back(4);
  CHECK_FALSE(a.same_shape(b));
  b = a, b.outputs = 3;
  CHECK_FALSE(a.same_shape(b));
  b = a, b.support = {1};
  CHECK_FALSE(a.same_shape(b));
}

/// One plan for every index but its number.
class OnePlan final : public test::ScriptedSource {
 public:
  TaskPlan base;
  TaskPlan plan(uint64_t index) const override {
    TaskPlan plan = base;
    plan.index = index;
    return plan;
  }
};

TEST_CASE("the sha256 of an episode set is over the plans as text, one line each") {
  OnePlan source;
  source.base.outputs = 2;
  source.base.classes = {3, 1};
  source.base.support = {30, 10};
  source.base.support_labels = {0, 1};
  source.base.query = {31, 32};
  source.base.query_labels = {0, 0};
  CHECK(plans_sha256(source, 2) ==
        sha256_hex("0:2[3,1][30,10][0,1][31,32][0,0]\n1:2[3,1][30,10][0,1][31,32][0,0]\n"));
  CHECK(plans_sha256(source, 0) == sha256_hex(""));
}

TEST_CASE("the hash of plans without values is what it was before there were values") {
  OnePlan source;
  source.base.outputs = 2;
  source.base.classes = {3, 1};
  source.base.support = {30, 10};
  source.base.support_labels = {0, 1};
  source.base.query = {31, 32};
  source.base.query_labels = {0, 0};
  CHECK(plans_sha256(source, 2) ==
        "9a238230ffdf54e2ac5369eb87ab18bbaf3895236f671275f8e2c4636cac67e0");
}

TEST_CASE("the values of a drawn task are hashed to the last bit") {
  OnePlan source;
  source.base.outputs = 1;
  source.base.support = {0};
  source.base.query = {1};
  source.base.values = {0.5, 3, 0.1};
  CHECK(plans_sha256(source, 1) == sha256_hex("0:1[][0][][1][]{0.5,3,0.1}\n"));
  const std::string before = plans_sha256(source, 1);
  source.base.values[2] = std::nextafter(0.1, 1);
  CHECK(plans_sha256(source, 1) != before);
}

TEST_CASE("the sha256 of an episode set changes with every part of a plan") {
  OnePlan source;
  source.base = test::ScriptedSource().plan(0);
  source.base.support = {1, 2};
  source.base.support_labels = {0, 1};
  const std::string before = plans_sha256(source, 3);
  const TaskPlan base = source.base;
  const auto changed = [&](auto change) {
    source.base = base;
    change(source.base);
    return plans_sha256(source, 3) != before;
  };
  CHECK(changed([](TaskPlan& plan) { plan.outputs = 3; }));
  CHECK(changed([](TaskPlan& plan) { plan.classes[0] += 1; }));
  CHECK(changed([](TaskPlan& plan) { plan.support[0] += 1; }));
  CHECK(changed([](TaskPlan& plan) { std::swap(plan.support_labels[0], plan.support_labels[1]); }));
  CHECK(changed([](TaskPlan& plan) { std::swap(plan.query[0], plan.query[1]); }));
  CHECK(changed([](TaskPlan& plan) { plan.query_labels[0] = 1; }));
  source.base = base;
  CHECK(plans_sha256(source, 2) != before);
}

}  // namespace kshot::episode_test
