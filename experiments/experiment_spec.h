#pragma once

#include <optional>
#include <string>
#include <vector>

#include "episodes/episode_sampler.h"
#include "experiments/start_weights.h"
#include "framework/run/trainer.h"

namespace kshot {

/// `episodes.train`: what feeds training.
struct TrainTasks {
  std::string kind = "episodes";
  EpisodeShape shape{.way = 5, .shot = 1, .query = 15};
  std::optional<int64_t> fixed_tasks;
  int64_t batch = 64;
  std::optional<Json> dataset;

  void describe(Fields& fields);
};

/// `episodes.validation` and `episodes.test`.
struct HeldOutTasks {
  EpisodeShape shape = {};
  int64_t count = 100;
  uint64_t seed = 0;
  std::optional<Json> dataset = {};

  void describe(Fields& fields);
};

struct EpisodesSpec {
  TrainTasks train;
  HeldOutTasks validation, test;

  EpisodesSpec() { test.count = 1000; }

  void describe(Fields& fields);
};

struct LogOptions {
  int64_t every = 100;
  bool tensorboard = false;
  void describe(Fields& fields);
};

/// A whole spec. The plugin blocks stay JSON: each plugin reads its own.
struct ExperimentSpec {
  std::string name = "unnamed";
  uint64_t seed = 1;
  Json dataset = {{"name", "synthetic_glyphs"}};
  EpisodesSpec episodes;
  Json backbone = {{"name", "conv4"}};
  WeightsChoice start;  ///< of the block "backbone"
  Json algorithm = {{"name", "protonet"}};
  OptimizerOptions optimizer;
  TrainOptions train;
  std::string precision = "ieee";
  std::string dtype = "float32";
  std::string kernels = "fast";
  Json paper = Json::object();
  std::vector<std::string> deviations;
  LogOptions log;

  void describe(Fields& fields);
};

/// "--set path=value" as one edit; the value is JSON, or plain text where it is not.
struct SpecEdit {
  std::string path;
  Json value;
};
/// Throws Error(bad_spec) where there is no "=" or the path is empty.
SpecEdit parse_edit(const std::string& text);

/// The JSON of a spec: a file, or a preset by name (`kshot list specs`), with "extends" followed
/// and the edits applied, in order. A block whose "name" differs from the one it extends replaces
/// it whole, and an edit that names another plugin empties its block first. Throws Error(bad_spec)
/// for a missing or malformed file and a circle of extensions.
Json load_spec(const std::string& file_or_preset, const std::vector<SpecEdit>& edits);

/// The JSON with edits applied, in order. Throws Error(bad_spec) where a path leads into something
/// that is no block.
Json with_edits(Json json, const std::vector<SpecEdit>& edits);

/// Validates everything: unknown keys, types, ranges, plugin names and their options; fills in all
/// defaults. `train.intra_op_threads` and `train.task_mode` are resolved for the device kind.
/// A "sweep" block is left out: it says what `kshot sweep` makes of the spec, not what the spec is.
ExperimentSpec read_spec(const Json& json, const std::string& device_kind);

/// The resolved spec as it is written into the record.
Json spec_to_json(const ExperimentSpec& spec);

}  // namespace kshot
