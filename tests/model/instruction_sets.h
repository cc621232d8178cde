#pragma once

#include <hwy/targets.h>

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

}  // namespace kshot::test
