// kshot weights: pretrained weights by name.
#include "experiments/commands.h"
#include "experiments/weights/registered_run.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/base/suggest.h"
#include "framework/model/given_weights.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

const WeightEntry& entry_of(const WeightRegistry& registry, const std::string& id) {
  if (const WeightEntry* entry = registry.find(id)) return *entry;
  std::vector<std::string> ids;
  for (const WeightEntry& entry : registry.entries()) ids.push_back(entry.id);
  throw Error(Exit::bad_spec, "weights: \"{}\" is not registered{}; see kshot weights list", id,
              did_you_mean(id, ids));
}

std::string state_of(const WeightRegistry& registry, const WeightEntry& entry) {
  if (entry.is_recipe()) return "recipe";
  return fs::exists(registry.file_of(entry)) ? "here" : "file missing";
}

void say_problems(const WeightRegistry& registry) {
  for (const std::string& problem : registry.problems())
    fmt::print(stderr, "kshot: {}; left out\n", problem);
}

int list_weights(const Arguments& arguments, const Words&) {
  const WeightRegistry registry;
  say_problems(registry);
  Json json = Json::array();
  std::vector<Words> rows{{"ID", "BACKBONE", "FEATURES", "DATA", "CLASSES", "STATE"}};
  for (const WeightEntry& entry : registry.entries()) {
    Json item = write_config(entry);
    item["state"] = state_of(registry, entry);
    item.erase("provenance");
    item["data"].erase("classes");
    item["data"]["class_count"] = entry.data.classes.size();
    json.push_back(item);
    rows.push_back({entry.id, entry.backbone.at("name"), std::to_string(entry.feature_width),
                    entry.data.name,
                    entry.data.classes.empty() ? "" : std::to_string(entry.data.classes.size()),
                    state_of(registry, entry)});
  }
  if (flag(arguments, "json")) {
    fmt::print("{}\n", json.dump(1));
  } else {
    fmt::print("{}{}\n", text_table(rows), registry.folder().string());
  }
  return 0;
}

std::string lines_of(const Json& entry) {
  std::string text;
  for (const auto& [key, value] : entry.items()) {
    const bool empty = value.empty() || value == "";
    if (empty || key == "provenance") continue;
    text += fmt::format("{:<14} {}\n", key,
                        value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

int show_weights(const Arguments& arguments, const Words& words) {
  const WeightRegistry registry;
  const WeightEntry& entry = entry_of(registry, words[0]);
  Json json = write_config(entry);
  json["state"] = state_of(registry, entry);
  if (flag(arguments, "json")) {
    fmt::print("{}\n", json.dump(1));
    return 0;
  }
  json["data"].erase("classes");
  if (!entry.data.classes.empty()) json["data"]["classes"] = entry.data.classes.size();
  fmt::print("{}", lines_of(json));
  return 0;
}

/// A file that somebody else made, with an entry that says what it is.
WeightEntry add_file(WeightRegistry& registry, const std::string& id, const fs::path& file,
                     const fs::path& entry_file) {
  WeightEntry entry = read_weight_entry(read_file(entry_file), entry_file.string());
  entry.id = id;
  const std::string bytes = read_file(file);
  const std::string found = sha256_hex(bytes);
  if (!entry.sha256.empty() && entry.sha256 != found) {
    throw Error(Exit::bad_data, "{}: its sha256 is {}..., but {} states {}...", file.string(),
                found.substr(0, 12), entry_file.string(), entry.sha256.substr(0, 12));
  }
  from_safetensors(bytes, file.string());  // no file that cannot be read
  return registry.add(std::move(entry), bytes);
}

int add_weights(const Arguments& arguments, const Words& words) {
  WeightRegistry registry;
  const bool from_run = arguments.count("run") > 0;
  if (from_run == (arguments.count("file") > 0)) {
    throw Error(Exit::bad_spec,
                "weights add takes --run RUN, or --file FILE.safetensors and --entry ENTRY.json");
  }
  if (!from_run && arguments.count("entry") == 0)
    throw Error(Exit::bad_spec,
                "weights add --file needs --entry ENTRY.json, which says what it is");
  check_weight_id(words[0]);
  const WeightEntry entry =
      from_run ? register_run(registry, words[0], arguments["run"].as<std::string>())
               : add_file(registry, words[0], arguments["file"].as<std::string>(),
                          arguments["entry"].as<std::string>());
  fmt::print("{}: {}, {} features, sha256 {}\n{}\n", entry.id,
             entry.backbone.at("name").get<std::string>(), entry.feature_width,
             entry.sha256.substr(0, 12), registry.file_of(entry).string());
  return 0;
}

/// Whether the file is the registered one, and a file of this architecture.
std::string problem_of(const WeightRegistry& registry, const WeightEntry& entry) {
  if (entry.is_recipe()) return "";
  try {
    const std::string found = sha256_file(registry.file_of(entry));
    if (found == entry.sha256) return "";
    return fmt::format("its sha256 is {}..., registered was {}...", found.substr(0, 12),
                       entry.sha256.substr(0, 12));
  } catch (const Error& problem) {
    return problem.what();
  }
}

int verify_weights(const Arguments&, const Words& words) {
  const WeightRegistry registry;
  say_problems(registry);
  std::vector<WeightEntry> asked;
  for (const std::string& id : words) asked.push_back(entry_of(registry, id));
  bool good = registry.problems().empty();
  for (const WeightEntry& entry : words.empty() ? registry.entries() : asked) {
    if (words.empty() && entry.is_recipe()) continue;
    const std::string problem = problem_of(registry, entry);
    good = good && problem.empty();
    fmt::print("{}: {}\n", entry.id,
               !problem.empty()    ? problem
               : entry.is_recipe() ? "a recipe, without a file"
                                   : "consistent");
  }
  return good ? 0 : static_cast<int>(Exit::bad_data);
}

struct WeightsAction {
  std::string name;
  size_t fewest, most;  ///< words after it
  int (*run)(const Arguments&, const Words&);
};

const std::vector<WeightsAction>& weights_actions() {
  static const std::vector<WeightsAction> actions{{"list", 0, 0, list_weights},
                                                  {"info", 1, 1, show_weights},
                                                  {"add", 1, 1, add_weights},
                                                  {"verify", 0, 1000, verify_weights}};
  return actions;
}

int run_weights(const Arguments& arguments) {
  Words words = arguments.count("words") > 0 ? arguments["words"].as<Words>() : Words{};
  const std::string name = words.empty() ? "" : words[0];
  std::vector<std::string> known;
  for (const WeightsAction& action : weights_actions()) {
    known.push_back(action.name);
    if (action.name != name) continue;
    words.erase(words.begin());
    if (words.size() < action.fewest || words.size() > action.most)
      throw Error(Exit::bad_spec, "usage: kshot {}", weights_command().usage);
    return action.run(arguments, words);
  }
  throw Error(Exit::bad_spec, "weights: unknown \"{}\"{}; expected {}", name,
              did_you_mean(name, known), fmt::join(known, ", "));
}

}  // namespace

Command weights_command() {
  Command command;
  command.name = "weights";
  command.summary = "pretrained weights: what there is, registering, checking";
  command.usage =
      "weights list | info ID | add ID --run RUN | add ID --file FILE --entry ENTRY | verify "
      "[ID]...";
  command.details =
      R"(A spec starts from weights by their id, or from a finished run by its folder:

  "backbone": {"weights": "my-conv4"}
  "backbone": {"weights": "results/pretrain/3fa91c0b2d7e", "trainable": ["block4.*"]}

The architecture is theirs. What is registered lies in $KSHOT_WEIGHTS, or in kshot/weights below
$XDG_DATA_HOME or ~/.local/share. A recipe says where weights come from that are not here.

  kshot weights add my-conv4 --run results/pretrain/3fa91c0b2d7e
  kshot weights verify)";
  command.positional = {"words..."};
  command.options.add_options()("run", po::value<std::string>()->value_name("RUN"),
                                "add: the backbone of a finished run")(
      "file", po::value<std::string>()->value_name("FILE"), "add: a safetensors file")(
      "entry", po::value<std::string>()->value_name("ENTRY"),
      "add: what the file is, as scripts/export_weights.py prints it");
  add_json_option(command.options);
  command.run = run_weights;
  return command;
}

}  // namespace kshot
