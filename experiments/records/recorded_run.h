#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/records/task_definition.h"

namespace kshot {

/// A finished run as read from its folder, with the figures that its episode lines give.
struct RecordedRun {
  std::filesystem::path folder;
  std::string id, name;
  uint64_t seed = 0;
  Json spec, env, data, result;  ///< env is an empty object where the record has none
  TaskDefinition tasks;
  std::vector<double> scores;                 ///< of each episode: accuracies, or squared errors
  std::vector<std::vector<int64_t>> sources;  ///< source classes of each episode
  Summary score;
  std::optional<double> ci95_classes;

  /// "protonet (3fa91c0b2d7e, seed 1)".
  std::string label() const;
};

bool is_recorded_run(const std::filesystem::path& folder);

/// The hashes of the data of train, validation and test, "" where nothing was trained: as env.json
/// states them, or, in older records, as they follow where the spec names a single data set; absent
/// where they do not. Throws Error(bad_data) for another number of them than three.
std::optional<std::vector<std::string>> data_hashes(const RecordedRun& run);

/// What a record states, without the figures that its lines give; what it states is not checked.
/// Throws as read_recorded_run().
RecordedRun read_statements(const std::filesystem::path& folder);

/// Reads a record and derives every figure of its "test" block again from the lines of
/// episodes.jsonl (or episodes.jsonl.gz): the hash of the tasks, accuracies or squared errors from
/// predictions, the intervals, the loss. Throws Error naming the folder where a file is missing or
/// malformed, or where a figure is not what the lines give.
RecordedRun read_recorded_run(const std::filesystem::path& folder);

}  // namespace kshot
