#include "experiments/plugin_facts.h"

#include <cmath>

#include "datasets/dataset.h"
#include "framework/base/error.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

const char* feeds_text(Feeds feeds) {
  if (feeds == Feeds::nothing) return "nothing";
  return feeds == Feeds::minibatches ? "minibatches" : "episodes";
}

Json resolved_defaults(const auto& plugin) {
  const std::string name = plugin.facts.name;
  return plugin.resolve({{"name", name}}, name);
}

/// Transduction and batch norm follow from options: what is said here holds for the defaults.
void add_defaults(Json& facts, const AlgorithmPlugin& plugin) {
  BackbonePtr backbone;
  if (plugin.facts.uses_backbone) {
    const auto& backbones = Registry<BackbonePlugin>::instance();
    const BackbonePlugin& any = backbones.find(backbones.names().at(0));
    backbone = any.make(resolved_defaults(any));
  }
  const auto algorithm = plugin.make(resolved_defaults(plugin), backbone);
  facts["transductive"] = algorithm->transductive();
  if (algorithm->order_matters()) facts["order_matters"] = true;
  if (const std::string mode = algorithm->batch_norm(); !mode.empty()) facts["batch_norm"] = mode;
}

Json facts_of(const AlgorithmPlugin& plugin) {
  const AlgorithmFacts& facts = plugin.facts;
  Json json{{"name", facts.name},
            {"summary", facts.summary},
            {"learns_from", feeds_text(facts.feeds)},
            {"uses_backbone", facts.uses_backbone},
            {"tasks", facts.regression ? "classification, regression" : "classification"}};
  if (facts.needs_map) json["needs_map"] = true;
  if (!facts.paper.empty()) json["paper"] = facts.paper;
  add_defaults(json, plugin);
  return json;
}

Json facts_of(const BackbonePlugin& plugin) {
  Json json{{"name", plugin.facts.name}, {"summary", plugin.facts.summary}};
  if (!plugin.facts.paper.empty()) json["paper"] = plugin.facts.paper;
  return json;
}

Json facts_of(const DatasetPlugin& plugin) {
  Json json{{"name", plugin.facts.name}, {"summary", plugin.facts.summary}};
  if (!plugin.facts.source.empty()) json["source"] = plugin.facts.source;
  return json;
}

/// Calls action(registry) for the registry of that kind.
auto with_registry(const std::string& kind, const auto& action) {
  if (kind == "algorithm") return action(Registry<AlgorithmPlugin>::instance());
  if (kind == "backbone") return action(Registry<BackbonePlugin>::instance());
  if (kind == "dataset") return action(Registry<DatasetPlugin>::instance());
  throw Error(Exit::bad_spec, "unknown kind of plugin \"{}\"{}; expected {}", kind,
              did_you_mean(kind, plugin_kinds()), fmt::join(plugin_kinds(), ", "));
}

}  // namespace

const std::vector<std::string>& plugin_kinds() {
  static const std::vector<std::string> kinds{"algorithm", "backbone", "dataset"};
  return kinds;
}

std::vector<std::string> plugin_names(const std::string& kind) {
  return with_registry(kind, [](const auto& registry) { return registry.names(); });
}

PluginDescription describe_plugin(const std::string& kind, const std::string& name) {
  return with_registry(kind, [&](const auto& registry) {
    const auto& plugin = registry.find(name);
    return PluginDescription{.facts = facts_of(plugin), .options = plugin.options()};
  });
}

Json option_to_json(const OptionRow& row) {
  Json json{{"name", row.path}, {"type", row.type}};
  if (!row.default_value.is_null()) json["default"] = row.default_value;
  if (std::isfinite(row.option.min)) json["min"] = row.option.min;
  if (std::isfinite(row.option.max)) json["max"] = row.option.max;
  if (!row.option.one_of.empty()) json["choices"] = row.option.one_of;
  if (!row.option.symbol.empty()) json["symbol"] = row.option.symbol;
  if (!row.option.help.empty()) json["help"] = row.option.help;
  return json;
}

std::string allowed_values(const OptionRow& row) {
  const Option& option = row.option;
  if (!option.one_of.empty()) return fmt::format("{}", fmt::join(option.one_of, " | "));
  const bool low = std::isfinite(option.min), high = std::isfinite(option.max);
  if (low && high) return fmt::format("from {} to {}", option.min, option.max);
  if (low) return fmt::format("at least {}", option.min);
  return high ? fmt::format("at most {}", option.max) : "";
}

}  // namespace kshot
