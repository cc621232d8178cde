// kshot describe: the facts and options of a plugin, or every key of a spec.
#include "experiments/commands.h"
#include "experiments/experiment_spec.h"
#include "experiments/plugin_facts.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

std::string default_text(const Json& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? "\"" + value.get<std::string>() + "\"" : value.dump();
}

std::string options_table(const std::vector<OptionRow>& options) {
  std::vector<std::vector<std::string>> rows{
      {"OPTION", "TYPE", "DEFAULT", "ALLOWED", "SYMBOL", "MEANING"}};
  for (const OptionRow& row : options) {
    rows.push_back({row.path, row.type, default_text(row.default_value), allowed_values(row),
                    row.option.symbol, row.option.help});
  }
  return text_table(rows);
}

Json options_json(const std::vector<OptionRow>& options) {
  Json json = Json::array();
  for (const OptionRow& row : options) json.push_back(option_to_json(row));
  return json;
}

/// "learns_from: episodes", one fact a line, after the name and what it is.
std::string facts_text(const Json& facts) {
  std::string text = fmt::format("{}: {}\n", facts.at("name").get<std::string>(),
                                 facts.at("summary").get<std::string>());
  for (const auto& [key, value] : facts.items()) {
    if (key == "name" || key == "summary") continue;
    std::string label = key;
    std::replace(label.begin(), label.end(), '_', ' ');
    const std::string shown =
        value.is_boolean() ? (value.get<bool>() ? "yes" : "no") : value.get<std::string>();
    text += fmt::format("  {}: {}\n", label, shown);
  }
  return text;
}

PluginDescription describe_spec() {
  return {.facts = {{"name", "spec"},
                    {"summary",
                     "the keys of a spec; those of a plugin's block stand under that plugin"}},
          .options = list_options<ExperimentSpec>()};
}

PluginDescription find_description(const Arguments& arguments, const std::string& usage) {
  const std::string kind = required(arguments, "kind", usage);
  if (kind == "spec") return describe_spec();
  const std::vector<std::string> names = plugin_names(kind);
  if (arguments.count("name") == 0) {
    throw Error(Exit::bad_spec, "describe {}: which one? known: {}", kind, fmt::join(names, ", "));
  }
  return describe_plugin(kind, arguments["name"].as<std::string>());
}

int run_describe(const Arguments& arguments) {
  const PluginDescription found = find_description(arguments, describe_command().usage);
  if (flag(arguments, "json")) {
    Json json = found.facts;
    json["options"] = options_json(found.options);
    fmt::print("{}\n", json.dump(1));
    return 0;
  }
  fmt::print("{}", facts_text(found.facts));
  if (found.options.empty()) {
    fmt::print("\nno options\n");
  } else {
    fmt::print("\n{}", options_table(found.options));
  }
  return 0;
}

}  // namespace

Command describe_command() {
  Command command;
  command.name = "describe";
  command.summary = "facts and options of a plugin, or all keys of a spec";
  command.usage = "describe algorithm|backbone|dataset NAME | describe spec [--json]";
  command.details = "  kshot describe algorithm protonet\n  kshot describe spec";
  command.positional = {"kind", "name"};
  add_json_option(command.options);
  command.run = run_describe;
  return command;
}

}  // namespace kshot
