#pragma once

#include <span>

#include "framework/base/embedded_file.h"

namespace kshot {

/// The entries in framework/model/weights, one JSON each.
std::span<const EmbeddedFile> shipped_weights();

}  // namespace kshot
