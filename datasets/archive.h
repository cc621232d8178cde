#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace kshot {

/// One file of an archive, unpacked in memory.
struct ArchiveEntry {
  std::string path;  ///< relative; stays inside the archive's folder
  std::string bytes;
};

/// What an archive may cost at most.
struct ArchiveLimits {
  uint64_t entry_bytes = uint64_t{1} << 28;  ///< of one file
  uint64_t total_bytes = uint64_t{1} << 36;  ///< of all files together
  uint64_t entries = 20'000'000;
};

/// Unpacks a zip or tar file (plain, gzip, bzip2, xz) entry by entry, nothing to disk; folders are
/// skipped. Throws Error(io) where the file cannot be opened, and Error(bad_data) naming the file
/// and entry: no archive, truncated, damaged, encrypted, over the limits, an entry that climbs out
/// of the folder ("..", absolute, a drive letter) or is neither a file nor a folder (a link, a
/// device).
void read_archive(const std::filesystem::path& path, const std::function<void(ArchiveEntry)>& visit,
                  const ArchiveLimits& limits = {});

}  // namespace kshot
