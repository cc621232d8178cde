#pragma once

#include <filesystem>
#include <string>

namespace kshot {

/// Which packs were hashed already, so that a large one is not hashed at each start. Remembered by
/// device, inode, size and time of change in one small file of the user's cache folder
/// ($XDG_CACHE_HOME/kshot/verified or ~/.cache/kshot/verified); where there is none, nothing is
/// remembered.
bool is_verified(const std::filesystem::path& pack, const std::string& sha256);

/// A pack changed within the last two seconds is not remembered: the clock of file systems is too
/// coarse to tell the next change apart.
void remember_verified(const std::filesystem::path& pack, const std::string& sha256);

}  // namespace kshot
