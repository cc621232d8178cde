#pragma once

#include <functional>

namespace kshot::test {

/// Runs `body` in a child process that gets SIGKILL at the n-th fault_point(), from 1. Returns
/// whether it was killed; false: `body` came to its end before. Throws std::runtime_error where it
/// ended otherwise.
bool killed_at(int n, const std::function<void()>& body);

}  // namespace kshot::test
