#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kshot {

/// The candidate nearest to `name` in edit distance (insert, delete, replace, swap), or an empty
/// string when none is near enough to be a likely slip of the finger.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// ` (did you mean "..."?)` for an error message, or an empty string.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace kshot
