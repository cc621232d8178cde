#include "experiments/run/reopened_run.h"

#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/run/ensemble.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kPackPaths = {
    "dataset.path", "episodes.train.dataset.path", "episodes.validation.dataset.path"};

/// Only the test may change: other edits would describe a model that these weights are not.
void check_edits(const std::vector<SpecEdit>& edits) {
  for (const SpecEdit& edit : edits) {
    const bool pack =
        std::find(kPackPaths.begin(), kPackPaths.end(), edit.path) != kPackPaths.end();
    if (pack || edit.path.starts_with("episodes.test.")) continue;
    throw Error(Exit::bad_spec,
                "--set {}: a finished run can be given another test (episodes.test.*) or another "
                "place of its pack "
                "(dataset.path), nothing else; train anew with kshot run",
                edit.path);
  }
}

/// The test that a spec asks for, without the place of its pack, which decides nothing.
Json test_of(const Json& spec) {
  Json test = spec.value("episodes", Json::object()).value("test", Json::object());
  if (test.contains("dataset") && test["dataset"].is_object()) test["dataset"].erase("path");
  return test;
}

/// The experiment, or a word on what to do where a pack does not lie where it did.
Experiment open_again(const ExperimentSpec& spec, const torch::Device& device) {
  try {
    return open_experiment(spec, device);
  } catch (const Error& error) {
    if (error.code() != Exit::io) throw;
    throw Error(Exit::io, "{}; if it lies elsewhere now: --set dataset.path=FILE", error.what());
  }
}

/// The weights belong to the data they were trained on: a pack of the same name and other content
/// might hold the training classes in its test split.
void check_same_data(const ReopenedRun& run) {
  const ExperimentSpec& spec = run.experiment.spec;
  if (spec.episodes.test.dataset || run.folder.spec().at("episodes").at("test").contains("dataset"))
    return;
  const std::string used = run.record.at("data").at("sha256"),
                    found = run.experiment.test_data->manifest().sha256;
  if (used == found) return;
  throw Error(
      Exit::bad_data,
      "{}: its data have sha256 {}..., but the run was made with {}...; to test on other data, set "
      "episodes.test.dataset",
      spec.dataset.value("path", spec.dataset.at("name").get<std::string>()), found.substr(0, 12),
      used.substr(0, 12));
}

/// The iterations of an ensemble's models; empty where one model answers.
std::vector<int64_t> ensemble_of(const Json& record) {
  const Json train = record.value("train", Json::object());
  const Json found = train.value("ensemble_iterations", Json::array());
  const bool whole = found.is_array() && std::all_of(found.begin(), found.end(), [](const Json& i) {
                       return i.is_number_integer();
                     });
  if (!whole) {
    throw Error(Exit::bad_data,
                "result.json: train.ensemble_iterations is {}, expected a list of iterations",
                found.dump());
  }
  return found.get<std::vector<int64_t>>();
}

torch::Device device_for(const RunFolder& folder, const std::string& wanted) {
  if (!wanted.empty()) return find_device(wanted);
  const std::string kind = folder.env().value("device", "cpu");
  return find_device(kind == "cuda" && !torch::cuda::is_available() ? "cpu" : kind);
}

void check_usable(const RunFolder& folder) {
  if (!folder.finished()) {
    throw Error(Exit::bad_spec, "{}: this run is not finished: continue it with kshot run --resume",
                folder.path().string());
  }
  const fs::path checkpoints = folder.file("checkpoints");
  if (!has_checkpoint(checkpoints, "best")) {
    throw Error(Exit::bad_spec,
                "{}: not there; a published record has no weights: make them with kshot run",
                (checkpoints / "best.safetensors").string());
  }
}

}  // namespace

std::string run_path(const Arguments& arguments, const std::string& usage) {
  return existing_or_under(arguments["results"].as<std::string>(),
                           required(arguments, "run", usage))
      .string();
}

std::string device_of(const Arguments& arguments) {
  return arguments["device"].defaulted() ? "" : arguments["device"].as<std::string>();
}

ReopenedRun reopen_run(const std::string& path, const std::vector<SpecEdit>& edits,
                       const std::string& device) {
  check_edits(edits);
  ReopenedRun run{.folder = find_run(path)};
  check_usable(run.folder);
  run.record = run.folder.result();
  Json spec = load_spec(run.folder.file("spec.json").string(), edits);
  run.changed = test_of(spec) != test_of(run.folder.spec());
  if (run.changed) spec.erase("paper");  // its number is of the test that was
  const torch::Device where = device_for(run.folder, device);
  run.experiment = open_again(read_spec(spec, device_kind(where)), where);
  check_same_data(run);
  run.models = load_models(run.folder.file("checkpoints"), ensemble_of(run.record),
                           fresh_weights(run.experiment), run.experiment.compute);
  return run;
}

}  // namespace kshot
