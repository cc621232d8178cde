#pragma once

#include <string>

#include "datasets/hdf5_pack.h"

namespace kshot {

/// A pack in a screenful: what it holds, how it is divided, where it came from.
std::string pack_report(const std::filesystem::path& path, const PackInfo& info);

/// The same as JSON, with the whole manifest.
Json pack_json(const std::filesystem::path& path, const PackInfo& info);

}  // namespace kshot
