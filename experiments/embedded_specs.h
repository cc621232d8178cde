#pragma once

#include <span>

#include "framework/base/embedded_file.h"

namespace kshot {

/// The presets of experiments/specs, sorted by path.
std::span<const EmbeddedFile> embedded_specs();

}  // namespace kshot
