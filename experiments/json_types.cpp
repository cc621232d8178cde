#include "experiments/json_types.h"

#include <algorithm>

namespace kshot {
namespace {

const char* name_of(JsonType type) {
  switch (type) {
    case JsonType::object:
      return "an object";
    case JsonType::list:
      return "a list";
    case JsonType::text:
      return "a string";
    case JsonType::truth:
      return "true or false";
    case JsonType::number:
      return "a number";
  }
  return "";
}

bool is_of(const Json& value, JsonType type) {
  switch (type) {
    case JsonType::object:
      return value.is_object();
    case JsonType::list:
      return value.is_array();
    case JsonType::text:
      return value.is_string();
    case JsonType::truth:
      return value.is_boolean();
    case JsonType::number:
      return value.is_number();
  }
  return false;
}

}  // namespace

void check_types(const Json& json, const std::string& where, Exit code,
                 std::initializer_list<ExpectedField> fields) {
  constexpr size_t kMost = 40;
  for (const auto& [path, type] : fields) {
    const Json::json_pointer pointer(path);
    if (!json.contains(pointer) || is_of(json.at(pointer), type)) continue;
    std::string key = path + 1;
    std::replace(key.begin(), key.end(), '/', '.');
    throw Error(code, "{}{} is {}, expected {}", where, key,
                json.at(pointer).dump().substr(0, kMost), name_of(type));
  }
}

}  // namespace kshot
