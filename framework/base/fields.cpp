#include "framework/base/fields.h"

#include <algorithm>
#include <cmath>

#include "framework/base/error.h"
#include "framework/base/strict_json.h"
#include "framework/base/suggest.h"

namespace kshot {

std::string Fields::path_of(const std::string& name) const {
  return path_.empty() ? name : path_ + "." + name;
}

const Json* Fields::take(const std::string& name) {
  const auto found = input_->find(name);
  return found == input_->end() ? nullptr : &*found;
}

void Fields::reject_unknown() const {
  for (const auto& [key, value] : input_->items()) {
    if (std::find(names_.begin(), names_.end(), key) == names_.end()) {
      throw Error(Exit::bad_spec, "unknown key \"{}\"{}; known here: {}", path_of(key),
                  did_you_mean(key, names_), fmt::join(names_, ", "));
    }
  }
}

namespace fields {
namespace {

/// Values from a spec are quoted in messages; a whole block would bury the message.
std::string shown(const Json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    return fmt::format("{}", json.get<double>());  // JSON would say null
  }
  return kshot::shown(json);
}

/// 1e4 is a float in JSON but an integer to whoever wrote it.
bool is_whole(const Json& json) {
  if (!json.is_number_float()) return false;
  const double value = json.get<double>();
  return std::nearbyint(value) == value && std::abs(value) < 9e15;
}

std::string bounds(const Option& option) {
  if (std::isfinite(option.min) && std::isfinite(option.max)) {
    return fmt::format("in [{}, {}]", option.min, option.max);
  }
  return std::isfinite(option.min) ? fmt::format("at least {}", option.min)
                                   : fmt::format("at most {}", option.max);
}

void check_range(double value, const Json& json, const std::string& path, const Option& option) {
  if (!(value >= option.min && value <= option.max)) {
    throw Error(Exit::bad_spec, "{} is {}, expected a value {}", path, shown(json), bounds(option));
  }
}

}  // namespace

void wrong_type(const Json& json, const std::string& path, const std::string& expected) {
  throw Error(Exit::bad_spec, "{} is {}, expected {}", path, shown(json), expected);
}

void read_value(const Json& json, const std::string& path, const Option&, bool& value) {
  if (!json.is_boolean()) wrong_type(json, path, "true or false");
  value = json.get<bool>();
}

void read_value(const Json& json, const std::string& path, const Option& option, int64_t& value) {
  if (!json.is_number_integer() && !is_whole(json)) wrong_type(json, path, "an integer");
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX}) {
    wrong_type(json, path, "an integer below 2^63");
  }
  value = json.get<int64_t>();
  check_range(static_cast<double>(value), json, path, option);
}

void read_value(const Json& json, const std::string& path, const Option& option, uint64_t& value) {
  const bool whole = json.is_number_integer() || is_whole(json);
  if (!json.is_number_unsigned() && !(whole && json.get<double>() >= 0)) {
    wrong_type(json, path, "an integer of at least 0");
  }
  value = json.get<uint64_t>();
  check_range(static_cast<double>(value), json, path, option);
}

void read_value(const Json& json, const std::string& path, const Option& option, double& value) {
  if (!json.is_number()) wrong_type(json, path, "a number");
  value = json.get<double>();
  if (!std::isfinite(value)) wrong_type(json, path, "a finite number");
  check_range(value, json, path, option);
}

void read_value(const Json& json, const std::string& path, const Option& option,
                std::string& value) {
  if (!json.is_string()) wrong_type(json, path, "text in quotes");
  value = json.get<std::string>();
  if (!option.one_of.empty() &&
      std::find(option.one_of.begin(), option.one_of.end(), value) == option.one_of.end()) {
    throw Error(Exit::bad_spec, "{} is \"{}\"{}, expected one of: {}", path, value,
                did_you_mean(value, option.one_of), fmt::join(option.one_of, ", "));
  }
}

void read_value(const Json& json, const std::string&, const Option&, Json& value) { value = json; }

}  // namespace fields
}  // namespace kshot
