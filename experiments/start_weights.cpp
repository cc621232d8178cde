#include "experiments/start_weights.h"

#include <algorithm>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/base/strict_json.h"
#include "framework/base/suggest.h"
#include "framework/model/weight_registry.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

Json json_file(const fs::path& path) {
  Json json = parse_strict(read_file(path)).value;
  if (!json.is_object()) throw Error(Exit::bad_data, "{}: not a JSON object", path.string());
  return json;
}

std::vector<std::string> names_in(const Json& json, const char* key, const fs::path& path) {
  try {
    return json.value(key, std::vector<std::string>{});
  } catch (const Json::exception&) {
    throw Error(Exit::bad_data, "{}: {} is not a list of names", path.string(), key);
  }
}

/// The backbone of a finished run, as validation chose it.
WeightSource run_source(const std::string& reference, const fs::path& run) {
  if (!fs::exists(run / "result.json")) {
    throw Error(Exit::bad_spec,
                "backbone.weights: the run {} is not finished: continue it with kshot run --resume",
                reference);
  }
  const Json spec = json_file(run / "spec.json"), data = json_file(run / "data.json");
  WeightSource source;
  source.reference = reference;
  source.backbone = spec.value("backbone", Json::object());
  if (!source.backbone.is_object() || source.backbone.empty()) {
    throw Error(Exit::bad_spec, "backbone.weights: the run {} has no backbone", reference);
  }
  take_weights_choice(source.backbone);
  source.file = run / "checkpoints" / "best.safetensors";
  source.prefix = "weights/backbone.";
  source.other_tensors = {"*"};
  source.data = {.name = data.value("data", ""),
                 .sha256 = data.value("sha256", ""),
                 .classes = names_in(data, "train_classes", run / "data.json")};
  return source;
}

WeightSource entry_source(const WeightRegistry& registry, const WeightEntry& entry) {
  return {.reference = entry.id,
          .backbone = entry.backbone,
          .file = registry.file_of(entry),
          .sha256 = entry.sha256,
          .prefix = "",
          .other_tensors = entry.other_tensors,
          .input = entry.input,
          .data = entry.data};
}

/// The backbone's tensors of a file, by its own names.
std::vector<NamedTensor> own_tensors(const TensorFile& file, const WeightSource& source) {
  std::vector<NamedTensor> own;
  for (const NamedTensor& tensor : file.tensors) {
    if (!source.prefix.empty() && tensor.name.starts_with(source.prefix)) {
      own.push_back({tensor.name.substr(source.prefix.size()), tensor.value});
      continue;
    }
    const bool other =
        std::any_of(source.other_tensors.begin(), source.other_tensors.end(),
                    [&](const std::string& pattern) { return matches(tensor.name, pattern); });
    if (!other) own.push_back(tensor);
  }
  return own;
}

}  // namespace

void WeightsChoice::describe(Fields& fields) {
  fields.option("weights", weights,
                {.help = "start from these: an id of kshot weights list, or a run's folder"});
  fields.option("trainable", trainable,
                {.help = "patterns of parameters that training may change, as \"layer4.*\"; with "
                         "given weights only"});
}

WeightsChoice take_weights_choice(Json& block) {
  Json own = Json::object();
  for (const char* key : {"weights", "trainable"}) {
    if (!block.contains(key)) continue;
    own[key] = block[key];
    block.erase(key);
  }
  WeightsChoice choice;
  read_config(choice, own, "backbone");
  if (!choice.weights && own.contains("trainable")) {
    throw Error(Exit::bad_spec,
                "backbone.trainable is {}, but there are no backbone.weights: all of a fresh "
                "network is trained",
                own["trainable"].dump());
  }
  return choice;
}

WeightSource find_weights(const std::string& reference) {
  if (fs::exists(fs::path(reference) / "spec.json")) return run_source(reference, reference);
  const WeightRegistry registry;
  if (const WeightEntry* entry = registry.find(reference)) {
    if (entry->is_recipe()) {
      throw Error(Exit::bad_spec, "backbone.weights: \"{}\" is a recipe without a file: {}",
                  entry->id, entry->recipe);
    }
    return entry_source(registry, *entry);
  }
  std::vector<std::string> ids;
  for (const WeightEntry& entry : registry.entries()) ids.push_back(entry.id);
  throw Error(Exit::bad_spec,
              "backbone.weights is \"{}\", neither a run's folder nor registered{}; see kshot "
              "weights list",
              reference, did_you_mean(reference, ids));
}

StartWeights load_weights(const WeightSource& source, const std::vector<std::string>& trainable) {
  const std::string bytes = read_file(source.file);
  StartWeights start{.given = {.tensors = {},
                               .where = source.file.string(),
                               .trainable = trainable,
                               .input = source.input},
                     .sha256 = sha256_hex(bytes)};
  if (!source.sha256.empty() && start.sha256 != source.sha256) {
    throw Error(Exit::bad_data, "{}: its sha256 is {}..., but \"{}\" was registered with {}...",
                source.file.string(), start.sha256.substr(0, 12), source.reference,
                source.sha256.substr(0, 12));
  }
  start.given.tensors = own_tensors(from_safetensors(bytes, source.file.string()), source);
  return start;
}

}  // namespace kshot
