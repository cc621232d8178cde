#include "experiments/verification/redrawn_tasks.h"

#include <set>

#include "datasets/task_generator.h"
#include "episodes/episode_sampler.h"
#include "experiments/experiment.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

/// What a record says of a data set: everything but its samples.
class ManifestOnly final : public Dataset {
 public:
  using Dataset::Dataset;
  Tensor load(std::span<const int64_t>) const override {
    throw Error(Exit::internal, "a record holds no pixels");
  }
};

const Json& test_of(const RecordedRun& run) { return run.spec.at("episodes").at("test"); }

/// The data set block that the test used.
const Json& block_of(const RecordedRun& run) {
  const Json& test = test_of(run);
  return test.contains("dataset") ? test.at("dataset") : run.spec.at("dataset");
}

/// A data set without images draws its tasks by itself.
bool draws_tasks(const RecordedRun& run) { return run.data.at("images").empty(); }

/// The split scheme by name; empty in an older record whose spec leaves it to the data set.
std::string scheme_of(const RecordedRun& run) {
  if (run.data.contains("split_scheme")) return run.data["split_scheme"].at("name");
  return block_of(run).value("splits", "");
}

EpisodeShape shape_of(const RecordedRun& run) {
  const Json& test = test_of(run);
  return {.way = test.at("way"), .shot = test.at("shot"), .query = test.at("query")};
}

EpisodeStream stream_of(const RecordedRun& run) {
  return {.splits = {"test"}, .seed = test_of(run).at("seed"), .purpose = Purpose::test_tasks};
}

/// The split by classes or by rows. Turned classes share their source with the upright one.
Json split_of(const RecordedRun& run) {
  const Json scheme = run.data.value("split_scheme", Json::object());
  if (scheme.contains("test_rows"))
    return {{"kind", "images"}, {"members", {{"test", scheme["test_rows"]}}}};
  Json sources = Json::array();
  std::set<int64_t> met;
  for (const Json& item : run.data.at("test_classes")) {
    if (met.insert(item.at("source").get<int64_t>()).second) sources.push_back(item["source"]);
  }
  return {{"kind", "classes"}, {"members", {{"test", sources}}}};
}

Manifest manifest_of(const RecordedRun& run) {
  Json classes = Json::array();
  for (const Json& item : run.data.at("images")) {
    classes.push_back(
        {{"name", item.at(0)}, {"group", ""}, {"first", item.at(1)}, {"count", item.at(2)}});
  }
  const std::string scheme = scheme_of(run);
  Json json{{"schema", "kshot.manifest/1"},
            {"name", run.data.at("data")},
            {"sha256", run.data.at("sha256")},
            {"shape", {1, 1, 1}},  // what samples look like has no part in which are drawn
            {"dtype", "uint8"},
            {"classes", classes},
            {"splits", Json::object()},
            {"default_split", scheme},
            {"source", ""},
            {"licence", ""},
            {"resize", ""}};
  json["splits"][scheme] = split_of(run);
  return manifest_from_json(json, "data.json");
}

/// The classes that the split gives must be those that the record lists: lines refer to them.
void check_classes(const RecordedRun& run, const std::vector<TaskClass>& classes) {
  const Json& listed = run.data.at("test_classes");
  for (size_t i = 0; i < std::max(listed.size(), classes.size()); ++i) {
    const auto text = [](const std::string& name, int64_t source) {
      return fmt::format("\"{}\" (source {})", name, source);
    };
    const std::string stated =
        i < listed.size() ? text(listed[i].at("name"), listed[i].at("source")) : "nothing";
    const std::string given =
        i < classes.size() ? text(classes[i].name, classes[i].source) : "nothing";
    if (stated != given) {
      throw Error(Exit::bad_data,
                  "data.json: test_classes has {} in place {}; images and the spec give {}", stated,
                  i, given);
    }
  }
}

RedrawnTasks sampled_again(const RecordedRun& run) {
  const auto data = std::make_shared<const ManifestOnly>(manifest_of(run));
  DatasetView view;
  view.splits = scheme_of(run);
  view.rotations = block_of(run).value("rotations", "none");
  const auto tasks = std::make_shared<EpisodeSampler>(data, view, shape_of(run), stream_of(run));
  check_classes(run, tasks->classes());
  return {.data = data, .tasks = tasks};
}

RedrawnTasks generated_again(const RecordedRun& run) {
  DatasetPtr data = DatasetCache().open(block_of(run));
  const auto* generator = dynamic_cast<const TaskGenerator*>(data.get());
  if (generator == nullptr)
    throw Error(Exit::bad_data, "data.json lists no images of data set \"{}\"", run.tasks.data);
  if (const std::string& sha256 = data->manifest().sha256; sha256 != run.tasks.data_sha256) {
    throw Error(Exit::bad_data,
                "data set \"{}\" of this spec has sha256 {}..., the record says {}...",
                run.tasks.data, sha256.substr(0, 12), run.tasks.data_sha256.substr(0, 12));
  }
  return {.data = data, .tasks = generator->tasks(shape_of(run), stream_of(run)), .loadable = true};
}

}  // namespace

std::string obstacle_to_redraw(const RecordedRun& run) {
  if (!draws_tasks(run)) {
    return scheme_of(run).empty() ? "data.json does not name the split scheme" : "";
  }
  const std::string name = block_of(run).at("name");
  const std::vector<std::string> known = Registry<DatasetPlugin>::instance().names();
  const bool registered = std::find(known.begin(), known.end(), name) != known.end();
  return registered ? "" : fmt::format("this program has no data set \"{}\"", name);
}

RedrawnTasks redraw_tasks(const RecordedRun& run) {
  try {
    return draws_tasks(run) ? generated_again(run) : sampled_again(run);
  } catch (const Error& problem) {
    throw Error(Exit::bad_data, "{}", problem.what());
  }
}

}  // namespace kshot
