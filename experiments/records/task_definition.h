#pragma once

#include <compare>
#include <string>

#include "framework/run/run_record.h"

namespace kshot {

/// What decides whether two runs were tested on the same tasks.
struct TaskDefinition {
  std::string data, data_sha256, split;
  int64_t way = 0, shot = 0, query = 0, episodes = 0;
  std::string episodes_sha256;
  TaskKind kind = TaskKind::classification;

  auto operator<=>(const TaskDefinition&) const = default;
};

/// What a result.json states of its test's tasks.
TaskDefinition definition_of(const Json& result);

/// "synthetic_glyphs test: 5-way 1-shot, 15 queries a class, 600 episodes",
/// "sinusoid test: 5-shot regression, 5 queries, 600 episodes".
std::string title_of(const TaskDefinition& tasks);

/// What differs between two definitions ("way 5 and 20; shot 1 and 5"); empty if they are equal.
std::string differences(const TaskDefinition& first, const TaskDefinition& second);

}  // namespace kshot
