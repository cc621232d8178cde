#include "experiments/records/run_folder.h"

#include "experiments/records/record_types.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

Json class_counts(const Experiment& experiment) {
  Json counts = Json::object();
  if (experiment.train) counts["train"] = experiment.train->classes().size();
  if (experiment.validation) counts["validation"] = experiment.validation->classes().size();
  counts["test"] = experiment.test->classes().size();
  return counts;
}

}  // namespace

Json RunFolder::read(const std::string& name) const {
  Json json = parse_strict(read_file(file(name))).value;
  if (!json.is_object()) throw Error(Exit::bad_data, "{}: not a JSON object", file(name).string());
  return json;
}

Json RunFolder::spec() const {
  Json json = read("spec.json");
  check_spec_types(json, file("spec.json"));
  return json;
}

Json RunFolder::result() const {
  Json json = read("result.json");
  check_result_types(json, file("result.json"));
  return json;
}

Json RunFolder::env() const {
  if (!std::filesystem::exists(file("env.json"))) return Json::object();
  Json json = read("env.json");
  check_env_types(json, file("env.json"));
  return json;
}

void RunFolder::write(const std::string& name, const Json& json) const {
  write_file_atomically(file(name), json.dump(1) + "\n");
}

void RunFolder::begin(const Experiment& experiment, int threads) const {
  make_folder(path_);
  write("env.json", environment(experiment.identity(), threads));
  write("data.json", manifest_record(experiment));
  write("spec.json", experiment.resolved);
}

std::filesystem::path existing_or_under(const std::filesystem::path& results,
                                        const std::filesystem::path& path) {
  const std::filesystem::path under = results / path;
  return !std::filesystem::exists(path) && std::filesystem::exists(under) ? under : path;
}

RunFolder find_run(const std::string& path) {
  if (RunFolder run(path); run.started()) return run;
  std::vector<std::filesystem::path> inside;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (RunFolder(entry.path()).started()) inside.push_back(entry.path());
    }
  }
  if (inside.size() == 1) return RunFolder(inside[0]);
  if (inside.empty())
    throw Error(Exit::bad_spec,
                "{}: no run there: expected a folder with spec.json, as results/NAME/ID", path);
  throw Error(Exit::bad_spec, "{}: holds {} runs; name one of them, as {}", path, inside.size(),
              inside[0].string());
}

namespace {

/// How the test split was made. A split of images within classes needs the rows themselves.
Json scheme_record(const Experiment& experiment) {
  const ExperimentSpec& spec = experiment.spec;
  const Manifest& manifest = experiment.test_data->manifest();
  const DatasetView view = view_of(spec.episodes.test.dataset.value_or(spec.dataset));
  const SplitScheme& scheme = find_scheme(manifest, view);
  Json record{{"name", view.splits.empty() ? manifest.default_split : view.splits}};
  if (scheme.kind == SplitScheme::Kind::images) record["test_rows"] = scheme.members.at("test");
  return record;
}

}  // namespace

Json manifest_record(const Experiment& experiment) {
  const Manifest& manifest = experiment.test_data->manifest();
  Json classes = Json::array();
  for (const TaskClass& c : experiment.test->classes())
    classes.push_back({{"name", c.name}, {"source", c.source}});
  Json images = Json::array();
  for (const ClassInfo& info : manifest.classes)
    images.push_back({info.name, info.first, info.count});
  Json record{{"data", manifest.name},
              {"sha256", manifest.sha256},
              {"shape", manifest.shape},
              {"test_classes", classes},
              {"images", images}};
  if (!manifest.classes.empty()) record["split_scheme"] = scheme_record(experiment);
  if (const auto learned = experiment.classes_learned(); !learned.empty())
    record["train_classes"] = learned;
  return record;
}

Json algorithm_record(const AlgorithmFacts& facts, const Algorithm& algorithm) {
  Json record{{"name", facts.name}, {"transductive", algorithm.transductive()}};
  if (algorithm.order_matters()) record["order_matters"] = true;
  if (!facts.paper.empty()) record["paper"] = facts.paper;
  if (const std::string mode = algorithm.batch_norm(); !mode.empty()) record["batch_norm"] = mode;
  return record;
}

Json record_of(const Experiment& experiment, const Evaluation& evaluation,
               const ParamList& weights) {
  const ExperimentSpec& spec = experiment.spec;
  const EpisodeShape& shape = spec.episodes.test.shape;
  const BuildInfo& build = build_info();
  Json record{{"schema", "kshot.result/1"},
              {"run",
               {{"id", experiment.id},
                {"name", spec.name},
                {"seed", spec.seed},
                {"finished", utc_now()},
                {"source_id", build.source_id},
                {"code", build.git_commit},
                {"dirty", build.git_dirty}}},
              {"data",
               {{"name", experiment.test_data->manifest().name},
                {"sha256", experiment.test_data->manifest().sha256},
                {"classes", class_counts(experiment)}}},
              {"algorithm", algorithm_record(experiment.facts, *experiment.algorithm)},
              {"parameters", count_learnable(weights)},
              {"test",
               {{"way", shape.way},
                {"shot", shape.shot},
                {"query", shape.query},
                {"split", "test"},
                {"seed", spec.episodes.test.seed},
                {"episodes", evaluation.episodes.size()},
                {"episodes_sha256", evaluation.episodes_sha256}}}};
  if (!experiment.leak.empty()) record["data"]["leak"] = experiment.leak;
  record["test"].update(figures_block(evaluation));
  if (!spec.paper.empty()) record["paper"] = spec.paper;
  if (!spec.deviations.empty()) record["deviations"] = spec.deviations;
  return record;
}

}  // namespace kshot
