#include "framework/run/episode.h"

#include "framework/base/error.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

Labelled slice_of(const Labelled& set, int64_t first, int64_t count) {
  return {set.inputs.narrow(0, first, count), set.targets.narrow(0, first, count)};
}

Labelled moved(const Labelled& set, const torch::Device& device, torch::Dtype dtype) {
  const auto target_type = set.targets.is_floating_point() ? dtype : torch::kLong;
  return {set.inputs.to(device, dtype), set.targets.to(device, target_type)};
}

}  // namespace

Episodes Episodes::slice(int64_t first, int64_t count) const {
  return {slice_of(support, first, count), slice_of(query, first, count), outputs,
          std::vector<TaskPlan>(plans.begin() + first, plans.begin() + first + count)};
}

Episodes Episodes::to(const torch::Device& device, torch::Dtype dtype) const {
  return {moved(support, device, dtype), moved(query, device, dtype), outputs, plans};
}

std::string plans_sha256(const TaskSource& source, int64_t count) {
  Sha256 hash;
  const auto list = [&hash](const std::vector<int64_t>& values) {
    hash.update(fmt::format("[{}]", fmt::join(values, ",")));
  };
  for (int64_t i = 0; i < count; ++i) {
    const TaskPlan plan = source.plan(static_cast<uint64_t>(i));
    hash.update(fmt::format("{}:{}", plan.index, plan.outputs));
    list(plan.classes);
    list(plan.support);
    list(plan.support_labels);
    list(plan.query);
    list(plan.query_labels);
    if (!plan.values.empty()) hash.update(fmt::format("{{{}}}", fmt::join(plan.values, ",")));
    hash.update("\n");
  }
  return hash.hex();
}

}  // namespace kshot
