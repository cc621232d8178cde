#pragma once

#include <compare>
#include <filesystem>
#include <string>
#include <vector>

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

/// "synthetic_glyphs test: 5-way 1-shot, 15 queries a class, 600 episodes",
/// "sinusoid test: 5-shot regression, 5 queries, 600 episodes".
std::string title_of(const TaskDefinition& tasks);

/// What differs between two definitions ("way 5 and 20; shot 1 and 5"); empty if they are equal.
std::string differences(const TaskDefinition& first, const TaskDefinition& second);

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

/// The lines of episodes.jsonl, or of episodes.jsonl.gz where that is what there is.
std::vector<EpisodeOutcome> read_episode_lines(const std::filesystem::path& folder);

/// Reads a record and derives every figure of its "test" block again from the lines of
/// episodes.jsonl (or episodes.jsonl.gz): the hash of the tasks, accuracies or squared errors from
/// predictions, the intervals, the loss. Throws Error naming the folder where a file is missing or
/// malformed, or where a figure is not what the lines give.
RecordedRun read_recorded_run(const std::filesystem::path& folder);

}  // namespace kshot
