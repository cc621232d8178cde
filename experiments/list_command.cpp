// kshot list: what there is to choose from.
#include "experiments/commands.h"
#include "experiments/embedded_specs.h"
#include "experiments/experiment_spec.h"
#include "experiments/plugin_facts.h"
#include "framework/base/error.h"
#include "framework/run/score.h"

namespace kshot {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Json plugins_json(const std::string& kind) {
  Json json = Json::array();
  for (const std::string& name : plugin_names(kind))
    json.push_back(describe_plugin(kind, name).facts);
  return json;
}

Rows plugin_rows(const Json& plugins) {
  Rows rows{{"NAME", "WHAT", "SOURCE"}};
  for (const Json& facts : plugins) {
    rows.push_back(
        {facts.at("name"), facts.at("summary"), facts.value("paper", facts.value("source", ""))});
  }
  return rows;
}

Json spec_json(const std::string& preset) {
  const ExperimentSpec spec = read_spec(load_spec(preset, {}), "cpu");
  const HeldOutTasks& test = spec.episodes.test;
  Json json{{"name", preset},
            {"algorithm", spec.algorithm.at("name")},
            {"dataset", spec.dataset.at("name")},
            {"test",
             {{"way", test.shape.way},
              {"shot", test.shape.shot},
              {"query", test.shape.query},
              {"count", test.count}}}};
  if (spec.dataset.contains("path")) json["path"] = spec.dataset["path"];
  if (!spec.paper.empty()) json["paper"] = spec.paper;
  return json;
}

Json specs_json() {
  Json json = Json::array();
  for (const EmbeddedFile& file : embedded_specs()) {
    json.push_back(spec_json(
        std::string(file.path.substr(0, file.path.size() - std::string_view(".json").size()))));
  }
  return json;
}

/// The figure that a spec's paper reports: "98.8 %", "mse 0.35".
std::string paper_cell(const Json& spec) {
  const Json paper = spec.value("paper", Json::object());
  const Json accuracy = paper.value("accuracy", Json()), mse = paper.value("mse", Json());
  if (accuracy.is_number()) return fmt::format("{:.1f} %", 100 * accuracy.get<double>());
  return mse.is_number() ? score_of(TaskKind::regression).told(mse.get<double>()) : "";
}

/// "5-way 1-shot"; a regression has a way of 1: "5-shot regression".
std::string task_cell(const Json& test) {
  const auto way = test.at("way").get<int64_t>(), shot = test.at("shot").get<int64_t>();
  return way == 1 ? fmt::format("{}-shot regression", shot)
                  : fmt::format("{}-way {}-shot", way, shot);
}

Rows spec_rows(const Json& specs) {
  Rows rows{{"NAME", "ALGORITHM", "DATA", "TEST", "PAPER"}};
  for (const Json& spec : specs) {
    rows.push_back({spec.at("name"), spec.at("algorithm"),
                    spec.value("path", spec.at("dataset").get<std::string>()),
                    task_cell(spec.at("test")), paper_cell(spec)});
  }
  return rows;
}

int run_list(const Arguments& arguments) {
  const std::string what = required(arguments, "what", list_command().usage);
  std::vector<std::string> known{"specs"};
  for (const std::string& kind : plugin_kinds()) known.push_back(kind + "s");
  if (std::find(known.begin(), known.end(), what) == known.end()) {
    throw Error(Exit::bad_spec, "list: unknown \"{}\"{}; expected {}", what,
                did_you_mean(what, known), fmt::join(known, ", "));
  }
  const bool specs = what == "specs";
  const Json json = specs ? specs_json() : plugins_json(what.substr(0, what.size() - 1));
  if (flag(arguments, "json")) {
    fmt::print("{}\n", json.dump(1));
  } else {
    fmt::print("{}", text_table(specs ? spec_rows(json) : plugin_rows(json)));
  }
  return 0;
}

}  // namespace

Command list_command() {
  Command command;
  command.name = "list";
  command.summary = "the algorithms, backbones, data sets and specs of this program";
  command.usage = "list algorithms|backbones|datasets|specs [--json]";
  command.positional = {"what"};
  add_json_option(command.options);
  command.run = run_list;
  return command;
}

}  // namespace kshot
