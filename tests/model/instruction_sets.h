#pragma once

#include <hwy/targets.h>

#include <cmath>
#include <vector>

#include "tests/doctest_torch.h"

namespace kshot::test {

/// Calls check() with our kernels on each instruction set that this processor has, in turn.
template <class Check>
void for_every_instruction_set(const Check& check) {
  const auto set_targets = [](int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  };
  for (int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    const int64_t target = rest & -rest;
    CAPTURE(hwy::TargetName(target));
    set_targets(target);
    check();
    set_targets(0);
  }
}

/// Checks that answer(), numbers of our kernels, is the same on each of them to `tolerance`.
template <class Answer>
void check_every_instruction_set(float tolerance, const Answer& answer) {
  const std::vector<float> best = answer();
  for_every_instruction_set([&] {
    const std::vector<float> found = answer();
    REQUIRE(found.size() == best.size());
    for (size_t i = 0; i < best.size(); ++i)
      CHECK(std::abs(found[i] - best[i]) <= tolerance * (1 + std::abs(best[i])));
  });
}

}  // namespace kshot::test
