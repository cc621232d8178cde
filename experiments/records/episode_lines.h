#pragma once

#include <filesystem>
#include <vector>

#include "framework/run/run_record.h"

namespace kshot {

/// The lines of episodes.jsonl, or of episodes.jsonl.gz where that is what there is. Throws Error
/// naming the file, and the line where one is malformed.
std::vector<EpisodeOutcome> read_episode_lines(const std::filesystem::path& folder);

}  // namespace kshot
