#pragma once

#include <string>
#include <vector>

#include "framework/base/fields.h"
#include "framework/base/rng.h"

namespace kshot {

/// N-way K-shot with Q queries per class. A regression has a way of 1: K points of support, Q of
/// query.
struct EpisodeShape {
  int64_t way = 5, shot = 1, query = 15;
  void describe(Fields& fields);
};

/// Where and with which seed tasks are drawn.
struct EpisodeStream {
  std::vector<std::string> splits{"test"};  ///< more than one: drawn from all together
  uint64_t seed = 0;
  Purpose purpose = Purpose::test_tasks;
};

}  // namespace kshot
