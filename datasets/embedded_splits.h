#pragma once

#include <span>

#include "framework/base/embedded_file.h"

namespace kshot {

/// The class lists of datasets/splits, sorted by path.
std::span<const EmbeddedFile> embedded_splits();

}  // namespace kshot
