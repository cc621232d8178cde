#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kshot {

/// Whether text that somebody else wrote can stand in a manifest, which is JSON.
bool is_utf8(std::string_view text);

/// Such text for a message of one line: in quotes, cut after `most` bytes, with control characters
/// and bytes that are no UTF-8 escaped or replaced.
std::string in_quotes(std::string_view text, size_t most = 80);

}  // namespace kshot
