#pragma once

#include <string_view>

namespace kshot {

/// Whether a relative path that somebody else wrote stays inside the folder it is joined to: not
/// absolute, no drive letter, no "..", no backslash, no empty name and no control characters.
bool stays_inside(std::string_view path);

}  // namespace kshot
