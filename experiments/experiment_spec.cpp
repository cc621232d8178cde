#include "experiments/experiment_spec.h"

#include <algorithm>
#include <filesystem>

#include "experiments/embedded_specs.h"
#include "experiments/json_types.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"
#include "framework/run/algorithm.h"

namespace kshot {

void TrainTasks::describe(Fields& fields) {
  fields.option("kind", kind,
                {.help = "few-shot tasks, or minibatches over all training classes",
                 .one_of = {"episodes", "minibatch"}});
  shape.describe(fields);
  fields.option("fixed_tasks", fixed_tasks,
                {.help = "train on a fixed list of this many tasks, over and over", .min = 1});
  fields.option("batch", batch, {.help = "minibatch: images per batch", .min = 1});
  fields.option("dataset", dataset, {.help = "a data set of its own, for cross-domain work"});
}

void HeldOutTasks::describe(Fields& fields) {
  shape.describe(fields);
  fields.option("count", count, {.help = "how many tasks", .min = 1, .max = 1e7});
  fields.option("seed", seed,
                {.help = "which tasks are drawn; never derived from the spec's seed"});
  fields.option("dataset", dataset, {.help = "a data set of its own, for cross-domain work"});
}

void EpisodesSpec::describe(Fields& fields) {
  fields.section("train", train);
  fields.section("validation", validation);
  fields.section("test", test);
}

void LogOptions::describe(Fields& fields) {
  fields.option("every", every,
                {.help = "iterations between two lines of metrics.jsonl", .min = 1});
  fields.option("tensorboard", tensorboard,
                {.help = "write the numbers of metrics.jsonl as TensorBoard event files, too, into "
                         "the run's folder tensorboard/"});
}

void ExperimentSpec::describe(Fields& fields) {
  fields.option("name", name, {.help = "folder of the run under results/"});
  fields.option("seed", seed, {.help = "initialisation, training tasks, augmentation, dropout"});
  fields.option("dataset", dataset,
                {.help = "{\"name\": ..., options}: see kshot describe dataset"});
  fields.section("episodes", episodes);
  fields.option("backbone", backbone,
                {.help = "{\"name\": ..., options}: see kshot describe backbone"});
  fields.option("algorithm", algorithm,
                {.help = "{\"name\": ..., options}: see kshot describe algorithm"});
  fields.section("optimizer", optimizer);
  fields.section("train", train);
  fields.option("precision", precision,
                {.help = "arithmetic of float32 on a GPU", .one_of = {"ieee"}});
  fields.option("dtype", dtype,
                {.help = "type of weights and images", .one_of = {"float32", "float64"}});
  fields.option(
      "kernels", kernels,
      {.help = "reference: the plain composition of LibTorch operations; fast: our own where they "
               "cover it",
       .one_of = {"fast", "reference"}});
  fields.option("paper", paper,
                {.help = "what the paper reports: accuracy or mse, source, comparable"});
  fields.option("deviations", deviations,
                {.help = "where this spec differs from its paper's protocol"});
  fields.section("log", log);
}

SpecEdit parse_edit(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(Exit::bad_spec, "--set is \"{}\", expected path=value, as in train.iterations=100",
                text);
  }
  const std::string value = text.substr(equals + 1);
  StrictJson read = parse_strict(value);
  return {text.substr(0, equals), read.value.is_discarded() ? Json(value) : std::move(read.value)};
}

namespace {

constexpr int kMaxExtends = 16, kMaxDepth = 64;

Json parse_spec(const std::string& text, const std::string& where) {
  StrictJson read = parse_strict(text, kMaxDepth, Comments::allowed);
  if (read.line > 0) {
    throw Error(Exit::bad_spec, "{}: not JSON at line {} (NaN and infinity are not JSON either)",
                where, read.line);
  }
  if (!read.problem.empty()) throw Error(Exit::bad_spec, "{}: {}", where, read.problem);
  if (!read.value.is_object())
    throw Error(Exit::bad_spec, "{}: a spec is a JSON object {{...}}", where);
  return std::move(read.value);
}

const EmbeddedFile* find_preset(const std::string& name) {
  for (const EmbeddedFile& file : embedded_specs()) {
    if (file.path == name + ".json" || file.path == name) return &file;
  }
  return nullptr;
}

/// A preset that another one names, beside it or by its whole name.
const EmbeddedFile* find_preset_near(const std::filesystem::path& folder, const std::string& name) {
  const EmbeddedFile* preset = find_preset((folder / name).generic_string());
  return preset != nullptr ? preset : find_preset(name);
}

/// `over` on top of `base`; objects are merged, everything else is replaced.
Json merged(Json base, const Json& over) {
  const bool other_plugin = base.is_object() && over.is_object() && over.contains("name") &&
                            base.contains("name") && over["name"] != base["name"];
  if (!base.is_object() || !over.is_object() || other_plugin) return over;
  for (const auto& [key, value] : over.items()) {
    base[key] = base.contains(key) ? merged(base[key], value) : value;
  }
  return base;
}

/// At the top, "name" is the run's name and not a plugin's.
Json extended(Json base, Json over) {
  const Json name = over.contains("name") ? over["name"] : base.value("name", Json());
  base.erase("name");
  over.erase("name");
  Json result = merged(std::move(base), over);
  if (!name.is_null()) result["name"] = name;
  return result;
}

Json load_with_extends(const std::string& file_or_preset, const std::filesystem::path& folder,
                       int depth) {
  if (depth > kMaxExtends)
    throw Error(Exit::bad_spec, "{}: \"extends\" goes in a circle", file_or_preset);
  const std::filesystem::path near = folder / file_or_preset;
  Json json;
  std::filesystem::path own_folder = folder;
  if (std::filesystem::is_regular_file(near)) {
    json = parse_spec(read_file(near), near.string());
    own_folder = near.parent_path();
  } else if (const EmbeddedFile* preset = find_preset_near(folder, file_or_preset)) {
    json = parse_spec(std::string(preset->text), file_or_preset);
    own_folder = std::filesystem::path(preset->path).parent_path();
  } else {
    std::vector<std::string> names;
    for (const EmbeddedFile& file : embedded_specs())
      names.emplace_back(file.path.substr(0, file.path.size() - 5));
    throw Error(Exit::bad_spec, "\"{}\" is neither a file nor a preset{}; see kshot list specs",
                file_or_preset, did_you_mean(file_or_preset, names));
  }
  if (!json.contains("extends")) return json;
  const Json base = json["extends"];
  if (!base.is_string())
    throw Error(Exit::bad_spec, "{}: extends is {}, expected a file or preset", file_or_preset,
                base.dump());
  json.erase("extends");
  return extended(load_with_extends(base.get<std::string>(), own_folder, depth + 1),
                  std::move(json));
}

/// Whether a path is that of a plugin's name: "algorithm.name", "episodes.test.dataset.name".
bool names_plugin(const std::string& path) {
  return path == "algorithm.name" || path == "backbone.name" || path == "dataset.name" ||
         path.ends_with(".dataset.name");
}

void apply_edit(Json& json, const SpecEdit& edit) {
  Json* place = &json;
  size_t start = 0;
  while (true) {
    const size_t dot = edit.path.find('.', start);
    const std::string key = edit.path.substr(start, dot - start);
    if (key.empty() || !(place->is_object() || place->is_null())) {
      throw Error(Exit::bad_spec, "--set {}: \"{}\" is not a block with keys", edit.path,
                  edit.path.substr(0, start));
    }
    // As with "extends": the options of one plugin mean nothing to another.
    if (dot == std::string::npos && names_plugin(edit.path) && place->is_object() &&
        place->value("name", Json()) != edit.value) {
      place->clear();
    }
    place = &(*place)[key];
    if (dot == std::string::npos) break;
    start = dot + 1;
  }
  *place = edit.value;
}

/// The plugin's name in a block, or an error that names the block.
std::string plugin_name(const Json& block, const std::string& path) {
  if (!block.is_object() || !block.contains("name") || !block["name"].is_string()) {
    throw Error(Exit::bad_spec, "{} has no \"name\": expected {{\"name\": ..., options}}", path);
  }
  return block["name"];
}

template <class Plugin>
void resolve_block(Json& block, const std::string& path) {
  block = Registry<Plugin>::instance().find(plugin_name(block, path)).resolve(block, path);
}

/// The block of given weights, where this one names no backbone; its own options come on top.
void take_architecture(Json& block, const std::string& weights) {
  if (block.contains("name")) return;
  Json whole = find_weights(weights).backbone;
  whole.update(block);
  block = std::move(whole);
}

void check_name(const std::string& name) {
  const bool fine = !name.empty() && name.size() <= 100 && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+';
                    });
  if (!fine) {
    throw Error(Exit::bad_spec,
                "name is \"{}\", expected up to 100 letters, digits, \"-\", \"_\", \"+\", \".\"",
                name);
  }
}

void check_paper(const Json& paper) {
  if (paper.is_null()) return;  // as "extends" takes a paper's number away
  check_types({{"paper", paper}}, "", Exit::bad_spec,
              {{"/paper", JsonType::object},
               {"/paper/accuracy", JsonType::number},
               {"/paper/mse", JsonType::number},
               {"/paper/source", JsonType::text},
               {"/paper/comparable", JsonType::truth}});
}

/// A block that gives options and no name means the default plugin.
Json with_default_plugins(Json json) {
  const ExperimentSpec defaults;
  for (const auto& [key, block] :
       {std::pair{"dataset", &defaults.dataset}, std::pair{"backbone", &defaults.backbone},
        std::pair{"algorithm", &defaults.algorithm}}) {
    // A backbone with given weights has their architecture.
    if (json.contains(key) && json[key].is_object() && !json[key].contains("name") &&
        !json[key].contains("weights"))
      json[key]["name"] = block->at("name");
  }
  return json;
}

}  // namespace

Json load_spec(const std::string& file_or_preset, const std::vector<SpecEdit>& edits) {
  return with_edits(load_with_extends(file_or_preset, "", 0), edits);
}

Json with_edits(Json json, const std::vector<SpecEdit>& edits) {
  for (const SpecEdit& edit : edits) apply_edit(json, edit);
  return json;
}

ExperimentSpec read_spec(const Json& json, const std::string& device_kind) {
  ExperimentSpec spec;
  Json own = with_default_plugins(json);
  own.erase("sweep");
  read_config(spec, own);
  check_name(spec.name);
  check_paper(spec.paper);
  resolve_block<DatasetPlugin>(spec.dataset, "dataset");
  for (auto [split, block] : {std::pair{"train", &spec.episodes.train.dataset},
                              std::pair{"validation", &spec.episodes.validation.dataset},
                              std::pair{"test", &spec.episodes.test.dataset}}) {
    if (*block) resolve_block<DatasetPlugin>(**block, fmt::format("episodes.{}.dataset", split));
  }
  resolve_block<AlgorithmPlugin>(spec.algorithm, "algorithm");
  spec.start = take_weights_choice(spec.backbone);
  if (spec.start.weights) take_architecture(spec.backbone, *spec.start.weights);
  resolve_block<BackbonePlugin>(spec.backbone, "backbone");
  const Feeds feeds =
      Registry<AlgorithmPlugin>::instance().find(spec.algorithm["name"]).facts.feeds;
  if ((feeds == Feeds::minibatches) != (spec.episodes.train.kind == "minibatch") &&
      feeds != Feeds::nothing) {
    throw Error(Exit::bad_spec,
                "episodes.train.kind is \"{}\", but algorithm \"{}\" learns from {}",
                spec.episodes.train.kind, spec.algorithm["name"].get<std::string>(),
                feeds == Feeds::minibatches ? "minibatches" : "episodes");
  }
  TrainOptions& train = spec.train;
  const bool cpu = device_kind == "cpu";
  if (train.task_mode == "auto") train.task_mode = cpu ? "threads" : "batched";
  if (!train.intra_op_threads) train.intra_op_threads = cpu && train.meta_batch == 1 ? 2 : 1;
  return spec;
}

Json spec_to_json(const ExperimentSpec& spec) {
  Json json = write_config(spec);
  if (spec.start.weights) json["backbone"].update(write_config(spec.start));
  return json;
}

}  // namespace kshot
