#pragma once

#include <initializer_list>
#include <string>

#include "framework/base/error.h"
#include "framework/base/fields.h"

namespace kshot {

enum class JsonType { object, list, text, truth, number };

struct ExpectedField {
  const char* pointer;  ///< "/run/source_id"; that of an object comes before those in it
  JsonType type;
};

/// Checks the fields that are there; one may be absent. Throws Error(code) that begins with
/// `where`: "result.json: run.dirty is 1, expected true or false".
void check_types(const Json& json, const std::string& where, Exit code,
                 std::initializer_list<ExpectedField> fields);

}  // namespace kshot
