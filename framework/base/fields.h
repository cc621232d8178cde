#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kshot {

using Json = nlohmann::json;

/// What a reader of `kshot describe` learns about one option beyond its type and default.
struct Option {
  std::string help = {};
  std::string symbol = {};  ///< the paper's symbol, as in "α"
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> one_of = {};  ///< for strings: the only values allowed
};

/// One row of `kshot describe`.
struct OptionRow {
  std::string path, type;
  Json default_value;
  Option option;
};

/// Visits the options of a config struct. Each struct writes its options once, in
///     void describe(Fields& fields) { fields.option("inner_lr", inner_lr, {.help = ..., .min =
///     0}); }
/// and from that one list come reading, defaults echoed into the record, documentation, range
/// checks and unknown-key errors with the nearest known name.
/// Values: bool, int64_t, uint64_t, double, std::string, vectors of them, std::optional of them,
/// Json (taken as it is), and nested structs that have describe() themselves (section()).
class Fields {
 public:
  template <class T>
  void option(const std::string& name, T& value, Option option);

  /// A nested block. `section("episodes", episodes)` reads {"episodes": {...}}.
  template <class T>
  void section(const std::string& name, T& config, const std::string& help = {});

  /// A nested block that may be absent.
  template <class T>
  void section(const std::string& name, std::optional<T>& config, const std::string& help = {});

 private:
  friend struct FieldsAccess;
  enum class Mode { read, write, list };

  template <class T>
  void visit_nested(const std::string& name, T& config);
  std::string path_of(const std::string& name) const;
  const Json* take(const std::string& name);
  void reject_unknown() const;

  Mode mode_ = Mode::read;
  std::string path_;                        // of this block, as "episodes.train"; empty at the top
  const Json* input_ = nullptr;             // read
  Json output_ = Json::object();            // write
  std::vector<std::string> names_;          // every option met, for unknown keys
  std::vector<OptionRow>* rows_ = nullptr;  // list
};

/// Fills `config` from a JSON object. `path` is where it stands in the spec, for messages.
/// Throws Error(bad_spec): unknown key, wrong type, out of range, NaN.
template <class T>
void read_config(T& config, const Json& json, const std::string& path = {});

/// The resolved options, defaults included; an empty optional is absent.
template <class T>
Json write_config(const T& config);

/// Every option with its default, in the order of describe().
template <class T>
std::vector<OptionRow> list_options(const std::string& path = {});

}  // namespace kshot

#include "framework/base/fields_impl.h"
