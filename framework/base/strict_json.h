#pragma once

#include <string>
#include <string_view>

#include "framework/base/fields.h"

namespace kshot {

struct StrictJson {
  Json value;           ///< discarded (is_discarded()) where there is a problem
  std::string problem;  ///< as "it is nested deeper than 3 levels"; empty if there is none
  int64_t line = 0;     ///< where it is no JSON, from 1; 0 for other problems
};

enum class Comments { refused, allowed };

/// Parses JSON that may have been made to do harm. Besides what is no JSON, it refuses what the
/// library lets pass: objects and arrays nested more than `depth` deep, which it parses but then
/// copies, compares and prints by recursion until the stack ends; a key twice in one object, of
/// which it keeps one; a NUL, behind which it does not look.
StrictJson parse_strict(std::string_view text, int depth = 64,
                        Comments comments = Comments::refused);

/// A key or value for a message of one line: as JSON, only its beginning where it is long.
std::string shown(const Json& value);

}  // namespace kshot
