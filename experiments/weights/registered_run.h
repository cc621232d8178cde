#pragma once

#include <string>

#include "framework/model/weight_registry.h"

namespace kshot {

/// A finished run's backbone as a registered entry, with where it comes from. `run` is its folder.
/// Throws Error(bad_spec) where the run is not finished or has no backbone, Error(io), and
/// Error(bad_data) where its checkpoint is damaged.
WeightEntry register_run(WeightRegistry& registry, const std::string& id, const std::string& run);

}  // namespace kshot
