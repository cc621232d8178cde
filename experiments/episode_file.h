#pragma once

#include <filesystem>
#include <string>

#include "framework/base/fields.h"
#include "framework/run/episode.h"

namespace kshot {

/// One task as `kshot episodes` prints it: index, class names by label, sample ids and labels; of a
/// task that its data set draws, also the values that it was drawn as.
Json plan_to_json(const TaskPlan& plan, const std::vector<TaskClass>& classes);

/// Writes the tasks [0, count) as one HDF5 file, for programs other than kshot:
/// - support_inputs [T,S,...] float32, support_targets [T,S] int64 (of a regression [T,S,D]
///   float32), query_inputs, query_targets;
/// - plans, UTF-8 bytes: a line of plan_to_json() per task;
/// - episodes_sha256, UTF-8 bytes: the hash that records carry;
/// - info, UTF-8 bytes: `info` as JSON.
/// The file appears whole or not at all. Throws Error(io), and Error(bad_spec) where the tasks
/// would not fit in memory.
void write_episode_file(const std::filesystem::path& path, const TaskSource& source, int64_t count,
                        const Json& info);

}  // namespace kshot
