#include "experiments/weights/registered_run.h"

#include "experiments/records/run_folder.h"
#include "experiments/start_weights.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

int64_t feature_width(const Json& backbone, const Json& data) {
  const auto shape = data.at("shape").get<std::vector<int64_t>>();
  const BackbonePtr made =
      Registry<BackbonePlugin>::instance().find(backbone.at("name")).make(backbone);
  int64_t width = 1;
  for (const int64_t size : made->output_shape(shape)) width *= size;
  return width;
}

/// What was measured: validation, and the test's mean.
Json metrics_of(const Json& result) {
  Json metrics = Json::object();
  const Json train = result.value("train", Json::object());
  for (const char* key : {"best_validation_accuracy", "best_validation_loss"}) {
    if (train.contains(key)) metrics[key] = train[key];
  }
  const Json& test = result.at("test");
  metrics["test"] = {{"way", test.at("way")}, {"shot", test.at("shot")}};
  for (const char* key : {"accuracy", "error"}) {
    if (test.contains(key)) metrics["test"][key] = test[key];
  }
  return metrics;
}

}  // namespace

WeightEntry register_run(WeightRegistry& registry, const std::string& id, const std::string& run) {
  const RunFolder folder = find_run(run);
  const WeightSource source = find_weights(folder.path().string());
  const Json result = folder.result(), data = folder.read("data.json");
  const Json block = result.at("run");
  WeightEntry entry;
  entry.id = id;
  entry.backbone = source.backbone;
  entry.feature_width = feature_width(source.backbone, data);
  entry.source = fmt::format("kshot run {} ({}, seed {})", block.at("id").get<std::string>(),
                             block.at("name").get<std::string>(), block.at("seed").get<int64_t>());
  entry.licence = "that of the data";
  entry.data = source.data;
  entry.metrics = metrics_of(result);
  entry.provenance = {{"run", block}, {"spec", folder.spec()}, {"env", folder.env()}};
  TensorFile file;
  file.tensors = load_weights(source, {"*"}).given.tensors;
  file.metadata["format"] = "kshot.weights/1";
  return registry.add(std::move(entry), to_safetensors(file));
}

}  // namespace kshot
