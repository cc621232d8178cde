#pragma once

#include <memory>

#include "datasets/dataset.h"
#include "framework/run/episode.h"
#include "framework/run/episode_shape.h"

namespace kshot {

/// A data set that holds no samples: it draws whole tasks. A plugin derives from it, fills in the
/// manifest's name, shape and sha256 (over the options that decide the tasks), and is registered as
/// any other data set.
class TaskGenerator : public Dataset {
 public:
  using Dataset::Dataset;

  /// Tasks of that shape; `stream.splits` are names that set one stream apart from another.
  /// Throws Error(bad_spec) for a shape that such tasks do not have.
  virtual std::shared_ptr<const TaskSource> tasks(const EpisodeShape& shape,
                                                  const EpisodeStream& stream) const = 0;

  /// Throws Error(bad_spec): there are no samples.
  Tensor load(std::span<const int64_t> rows) const final;
};

}  // namespace kshot
