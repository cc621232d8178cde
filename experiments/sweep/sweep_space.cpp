#include "experiments/sweep/sweep_space.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/base/error.h"
#include "framework/base/rng.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

constexpr size_t kMaxTrials = 10000;
const std::vector<std::string> kWords{"zip", "list", "random", "when"};

/// The settings that one entry of the block offers, one of which each trial takes.
using Factor = std::vector<Settings>;

const Json& object_at(const Json& json, const std::string& where) {
  if (!json.is_object() || json.empty())
    throw Error(Exit::bad_spec, "{} is {}, expected {{\"path\": ..., ...}}", where, json.dump());
  return json;
}

const Json& list_at(const Json& json, const std::string& where) {
  if (!json.is_array() || json.empty())
    throw Error(Exit::bad_spec, "{} is {}, expected a list of values", where, json.dump());
  return json;
}

Factor grid_factor(const std::string& path, const Json& values) {
  const std::string where = "sweep." + path;
  if (!values.is_array()) {
    throw Error(Exit::bad_spec, "{} is {}, expected a list of values{}", where, values.dump(),
                did_you_mean(path, kWords));
  }
  Factor factor;
  for (const Json& value : list_at(values, where)) factor.push_back({{path, value}});
  return factor;
}

Factor zip_factor(const Json& block) {
  Factor factor;
  std::string first;
  for (const auto& [path, values] : object_at(block, "sweep.zip").items()) {
    list_at(values, "sweep.zip." + path);
    if (first.empty()) {
      first = path;
      factor.resize(values.size());
    }
    if (values.size() != factor.size()) {
      throw Error(Exit::bad_spec,
                  "sweep.zip.{} has {} values and sweep.zip.{} has {}: they go side by side", first,
                  factor.size(), path, values.size());
    }
    for (size_t i = 0; i < factor.size(); ++i) factor[i].push_back({path, values[i]});
  }
  return factor;
}

Factor list_factor(const Json& block) {
  Factor factor;
  for (const Json& item : list_at(block, "sweep.list")) {
    Settings settings;
    for (const auto& [path, value] :
         object_at(item, fmt::format("sweep.list[{}]", factor.size())).items())
      settings.push_back({path, value});
    factor.push_back(settings);
  }
  return factor;
}

struct RandomBlock {
  int64_t count = 10;
  uint64_t seed = 0;
  Json settings = Json::object();

  void describe(Fields& fields) {
    fields.option("count", count,
                  {.help = "how many draws", .min = 1, .max = static_cast<double>(kMaxTrials)});
    fields.option("seed", seed, {.help = "other draws"});
    fields.option("settings", settings, {.help = "{\"path\": {\"log_uniform\": [low, high]}}"});
  }
};

/// Four digits: enough for a search, readable, and the same whatever a machine's exp() does to the
/// last one.
double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

struct DrawnRange {
  double low = 0, high = 1;
};

DrawnRange range_at(const Json& json, const std::string& where) {
  const bool pair =
      json.is_array() && json.size() == 2 && json[0].is_number() && json[1].is_number();
  if (!pair || !(json[0].get<double>() < json[1].get<double>())) {
    throw Error(Exit::bad_spec, "{} is {}, expected two numbers [low, high], low < high", where,
                json.dump());
  }
  return {json[0], json[1]};
}

Json draw_number(Stream stream, const DrawnRange& range, bool in_logarithm) {
  const double value = in_logarithm
                           ? std::exp(stream.uniform(std::log(range.low), std::log(range.high)))
                           : stream.uniform(range.low, range.high);
  return std::clamp(rounded(value), range.low, range.high);
}

Json draw_integer(Stream stream, const Json& range, const std::string& where) {
  range_at(range, where);
  if (!range[0].is_number_integer() || !range[1].is_number_integer())
    throw Error(Exit::bad_spec, "{} is {}, expected two whole numbers", where, range.dump());
  const auto low = range[0].get<int64_t>(), high = range[1].get<int64_t>();
  return low + static_cast<int64_t>(stream.below(static_cast<uint64_t>(high - low) + 1));
}

Json draw(const Stream& stream, const Json& how, const std::string& where) {
  const std::vector<std::string> kinds{"log_uniform", "uniform", "integer", "choice"};
  const std::string kind = how.is_object() && how.size() == 1 ? how.begin().key() : "";
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    throw Error(Exit::bad_spec, "{} is {}, expected one of {{\"{}\": [...]}}{}", where, how.dump(),
                fmt::join(kinds, "\": [...]}, {\""), did_you_mean(kind, kinds));
  }
  const Json& given = how.begin().value();
  const std::string place = where + "." + kind;
  if (kind == "choice") {
    Stream own = stream;
    return list_at(given, place)[own.below(given.size())];
  }
  if (kind == "integer") return draw_integer(stream, given, place);
  const DrawnRange range = range_at(given, place);
  if (kind == "log_uniform" && range.low <= 0)
    throw Error(Exit::bad_spec, "{} is {}, expected a low end above 0", place, given.dump());
  return draw_number(stream, range, kind == "log_uniform");
}

Factor random_factor(const Json& json) {
  RandomBlock block;
  read_config(block, json, "sweep.random");
  object_at(block.settings, "sweep.random.settings");
  Factor factor(static_cast<size_t>(block.count));
  for (size_t i = 0; i < factor.size(); ++i) {
    const Stream draws(block.seed, Purpose::sweep, i);
    for (const auto& [path, how] : block.settings.items()) {
      factor[i].push_back(
          {path, draw(draws.split(sha256_u64(path)), how, "sweep.random.settings." + path)});
    }
  }
  return factor;
}

Factor factor_of(const std::string& key, const Json& value) {
  if (key == "zip") return zip_factor(value);
  if (key == "list") return list_factor(value);
  if (key == "random") return random_factor(value);
  return grid_factor(key, value);
}

std::set<std::string> paths_of(const Factor& factor) {
  std::set<std::string> paths;
  for (const Settings& settings : factor) {
    for (const SpecEdit& edit : settings) paths.insert(edit.path);
  }
  return paths;
}

/// No path is set by two factors, and none is the sweep's own.
std::set<std::string> checked_paths(const std::vector<Factor>& factors) {
  std::set<std::string> all;
  for (const Factor& factor : factors) {
    for (const std::string& path : paths_of(factor)) {
      if (path == "sweep" || path.starts_with("sweep.") || path == "extends")
        throw Error(Exit::bad_spec, "sweep sets \"{}\", which no trial can have", path);
      if (!all.insert(path).second)
        throw Error(Exit::bad_spec, "sweep sets \"{}\" in two places", path);
    }
  }
  return all;
}

/// All combinations; the last factor changes fastest.
Factor product(const std::vector<Factor>& factors) {
  Factor all{{}};
  for (const Factor& factor : factors) {
    if (all.size() * factor.size() > kMaxTrials)
      throw Error(Exit::bad_spec, "sweep has more than {} trials", kMaxTrials);
    Factor longer;
    for (const Settings& before : all) {
      for (const Settings& more : factor) {
        longer.push_back(before);
        longer.back().insert(longer.back().end(), more.begin(), more.end());
      }
    }
    all = std::move(longer);
  }
  return all;
}

/// Whole blocks before what lies in them, a plugin's name (which empties its block) before its
/// options; else by path, so that equal settings look equal.
Settings ordered(Settings settings) {
  const auto key = [](const SpecEdit& edit) {
    return std::tuple(std::count(edit.path.begin(), edit.path.end(), '.'),
                      !edit.path.ends_with(".name"), edit.path);
  };
  std::sort(settings.begin(), settings.end(),
            [&](const SpecEdit& a, const SpecEdit& b) { return key(a) < key(b); });
  return settings;
}

/// The value at "a.b.c", or nullptr.
const Json* find_value(const Json& json, const std::string& path) {
  const Json* place = &json;
  size_t start = 0;
  while (start != std::string::npos) {
    const size_t dot = path.find('.', start);
    const auto found =
        place->is_object() ? place->find(path.substr(start, dot - start)) : place->end();
    if (found == place->end()) return nullptr;
    place = &*found;
    start = dot == std::string::npos ? dot : dot + 1;
  }
  return place;
}

/// "when" of the block: which settings apply only where others have given values.
class Conditions {
 public:
  Conditions(const Json& spec, const Json& when, const std::set<std::string>& paths,
             std::string device_kind)
      : spec_(spec), when_(when), device_kind_(std::move(device_kind)) {
    for (const auto& [path, condition] : when_.items()) {
      object_at(condition, "sweep.when." + path);
      if (!paths.contains(path)) {
        throw Error(Exit::bad_spec, "sweep.when names \"{}\", which the sweep does not set{}", path,
                    did_you_mean(path, std::vector<std::string>(paths.begin(), paths.end())));
      }
    }
  }

  /// The settings that apply, ordered. A condition may look at a setting with a condition.
  Settings applicable(const Settings& all) const {
    Settings decided, open;
    for (const SpecEdit& edit : all) (when_.contains(edit.path) ? open : decided).push_back(edit);
    while (!open.empty()) {
      const auto next = std::find_if(open.begin(), open.end(),
                                     [&](const SpecEdit& e) { return !waits(e, open); });
      if (next == open.end())
        throw Error(Exit::bad_spec, "sweep.when goes in a circle at \"{}\"", open[0].path);
      if (holds(when_[next->path], ordered(decided))) decided.push_back(*next);
      open.erase(next);
    }
    return ordered(decided);
  }

 private:
  /// Whether the condition of `edit` looks at something that is not decided yet.
  bool waits(const SpecEdit& edit, const Settings& open) const {
    for (const auto& [path, value] : when_[edit.path].items()) {
      for (const SpecEdit& other : open) {
        if (path == other.path || path.starts_with(other.path + ".")) return true;
      }
    }
    return false;
  }

  bool holds(const Json& condition, const Settings& settings) const {
    const Json trial = with_edits(spec_, settings);
    Json resolved;
    for (const auto& [path, wanted] : condition.items()) {
      const Json* value = find_value(trial, path);
      if (value == nullptr) {
        if (resolved.is_null()) resolved = spec_to_json(read_spec(trial, device_kind_));
        value = find_value(resolved, path);
      }
      const Json found = value == nullptr ? Json() : *value;
      const bool one_of =
          wanted.is_array() && std::find(wanted.begin(), wanted.end(), found) != wanted.end();
      if (!one_of && found != wanted) return false;
    }
    return true;
  }

  const Json& spec_;
  const Json when_;
  std::string device_kind_;
};

}  // namespace

std::vector<Settings> expand_sweep(const Json& spec, const std::string& device_kind) {
  const Json block = spec.value("sweep", Json());
  if (block.is_null()) {
    throw Error(Exit::bad_spec,
                "the spec has no \"sweep\" block, as in \"sweep\": {{\"optimizer.lr\": [0.001, "
                "0.01], \"seed\": [1, 2, 3]}}");
  }
  std::vector<Factor> factors;
  for (const auto& [key, value] : object_at(block, "sweep").items()) {
    if (key != "when") factors.push_back(factor_of(key, value));
  }
  if (factors.empty()) throw Error(Exit::bad_spec, "sweep sets nothing: it has \"when\" alone");
  const std::set<std::string> paths = checked_paths(factors);
  const Json when =
      block.contains("when") ? object_at(block["when"], "sweep.when") : Json::object();
  const Conditions conditions(spec, when, paths, device_kind);
  std::vector<Settings> trials;
  std::set<std::string> met;
  for (const Settings& settings : product(factors)) {
    Settings applicable = conditions.applicable(settings);
    if (met.insert(settings_json(applicable).dump()).second)
      trials.push_back(std::move(applicable));
  }
  return trials;
}

std::string value_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string settings_text(const Settings& settings) {
  std::vector<std::string> words;
  for (const SpecEdit& edit : settings) words.push_back(edit.path + "=" + value_text(edit.value));
  return fmt::format("{}", fmt::join(words, " "));
}

Json settings_json(const Settings& settings) {
  Json json = Json::object();
  for (const SpecEdit& edit : settings) json[edit.path] = edit.value;
  return json;
}

}  // namespace kshot
