#pragma once

#include <filesystem>

#include "framework/base/fields.h"

namespace kshot {

/// What metrics.jsonl gives of the block "train" of result.json: iterations, seconds, and the best
/// validation and ensemble that `spec` selects among its lines. Tasks per second only where the
/// last training line is of the last step. Throws Error(bad_data) for a line that is not one.
Json training_figures(const std::filesystem::path& log, const Json& spec);

}  // namespace kshot
