#pragma once
// The templates behind fields.h; the readers for each type are compiled once, in fields.cpp.

#include <fmt/format.h>

#include <type_traits>

#include "framework/base/fields.h"

namespace kshot {
namespace fields {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

void read_value(const Json& json, const std::string& path, const Option& option, bool& value);
void read_value(const Json& json, const std::string& path, const Option& option, int64_t& value);
void read_value(const Json& json, const std::string& path, const Option& option, uint64_t& value);
void read_value(const Json& json, const std::string& path, const Option& option, double& value);
void read_value(const Json& json, const std::string& path, const Option& option,
                std::string& value);
void read_value(const Json& json, const std::string& path, const Option& option, Json& value);
[[noreturn]] void wrong_type(const Json& json, const std::string& path,
                             const std::string& expected);

template <class T>
void read_value(const Json& json, const std::string& path, const Option& option,
                std::vector<T>& value) {
  value.clear();
  if (!json.is_array()) {  // one value stands for a list of one
    T item{};
    read_value(json, path, option, item);
    value.push_back(std::move(item));
    return;
  }
  for (size_t i = 0; i < json.size(); ++i) {
    T item{};
    read_value(json[i], path + "[" + std::to_string(i) + "]", option, item);
    value.push_back(std::move(item));
  }
}

template <class T>
std::string type_name() {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_integral_v<T>) {
    return "integer";
  } else if constexpr (std::is_same_v<T, double>) {
    return "number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else if constexpr (std::is_same_v<T, Json>) {
    return "JSON";
  } else if constexpr (IsOptional<T>::value) {
    return fmt::format("{}, optional", type_name<typename T::value_type>());
  } else {
    return fmt::format("list of {}", type_name<typename T::value_type>());
  }
}

}  // namespace fields

template <class T>
void Fields::option(const std::string& name, T& value, Option option) {
  names_.push_back(name);
  if constexpr (fields::IsOptional<T>::value) {
    if (mode_ == Mode::read) {
      const Json* json = take(name);
      if (json == nullptr) return;
      if (json->is_null()) {
        value.reset();
        return;
      }
      typename T::value_type inner{};
      fields::read_value(*json, path_of(name), option, inner);
      value = std::move(inner);
    } else if (mode_ == Mode::write) {
      if (value) output_[name] = *value;
    } else {
      rows_->push_back({path_of(name), fields::type_name<T>(), value ? Json(*value) : Json(),
                        std::move(option)});
    }
  } else {
    if (mode_ == Mode::read) {
      if (const Json* json = take(name)) fields::read_value(*json, path_of(name), option, value);
    } else if (mode_ == Mode::write) {
      output_[name] = value;
    } else {
      rows_->push_back({path_of(name), fields::type_name<T>(), Json(value), std::move(option)});
    }
  }
}

struct FieldsAccess {
  template <class T>
  static void read(T& config, const Json& json, const std::string& path) {
    if (!json.is_object())
      fields::wrong_type(json, path.empty() ? "the spec" : path, "a block {...}");
    Fields visitor;
    visitor.mode_ = Fields::Mode::read;
    visitor.path_ = path;
    visitor.input_ = &json;
    config.describe(visitor);
    visitor.reject_unknown();
  }

  template <class T>
  static Json write(const T& config) {
    Fields visitor;
    visitor.mode_ = Fields::Mode::write;
    // describe() visits by reference for reading; writing leaves the values as they are.
    const_cast<T&>(config).describe(visitor);
    return std::move(visitor.output_);
  }

  template <class T>
  static void list(T& config, const std::string& path, std::vector<OptionRow>& rows) {
    Fields visitor;
    visitor.mode_ = Fields::Mode::list;
    visitor.path_ = path;
    visitor.rows_ = &rows;
    config.describe(visitor);
  }
};

template <class T>
void Fields::visit_nested(const std::string& name, T& config) {
  if (mode_ == Mode::read) {
    if (const Json* json = take(name)) FieldsAccess::read(config, *json, path_of(name));
  } else if (mode_ == Mode::write) {
    output_[name] = FieldsAccess::write(config);
  } else {
    FieldsAccess::list(config, path_of(name), *rows_);
  }
}

template <class T>
void Fields::section(const std::string& name, T& config, const std::string&) {
  names_.push_back(name);
  visit_nested(name, config);
}

template <class T>
void Fields::section(const std::string& name, std::optional<T>& config, const std::string&) {
  names_.push_back(name);
  if (mode_ == Mode::read) {
    const Json* json = take(name);
    if (json == nullptr) return;
    if (json->is_null()) return config.reset();
    if (!config) config.emplace();
  }
  if (mode_ == Mode::list && !config) {
    T defaults{};
    visit_nested(name, defaults);
  } else if (config) {
    visit_nested(name, *config);
  }
}

template <class T>
void read_config(T& config, const Json& json, const std::string& path) {
  FieldsAccess::read(config, json, path);
}

template <class T>
Json write_config(const T& config) {
  return FieldsAccess::write(config);
}

template <class T>
std::vector<OptionRow> list_options(const std::string& path) {
  std::vector<OptionRow> rows;
  T defaults{};
  FieldsAccess::list(defaults, path, rows);
  return rows;
}

}  // namespace kshot
