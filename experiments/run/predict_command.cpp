// kshot predict: a trained model sorts a user's own pictures into classes it learns from a few of
// them.
#include "experiments/commands.h"
#include "experiments/run/own_pictures.h"
#include "experiments/run/reopened_run.h"
#include "framework/base/error.h"
#include "framework/run/ensemble.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> query_images(const Arguments& arguments) {
  if (arguments.count("query") == 0) {
    throw Error(Exit::bad_spec, "--query is missing: usage: kshot {}", predict_command().usage);
  }
  std::vector<fs::path> images;
  for (const std::string& path : arguments["query"].as<std::vector<std::string>>()) {
    if (!fs::is_directory(path)) {
      images.emplace_back(path);
      continue;
    }
    const std::vector<fs::path> inside = images_in(path);
    if (inside.empty()) throw Error(Exit::bad_data, "{}: no PNG or JPEG image there", path);
    images.insert(images.end(), inside.begin(), inside.end());
  }
  return images;
}

/// Logits [Q,classes] of a learner. Where queries do not influence each other they go in portions.
Tensor logits_of(const Learner& learner, const Tensor& query, bool transductive) {
  const torch::NoGradGuard no_grad;
  if (transductive) return learner.logits(query)[0];
  std::vector<Tensor> rows;
  for (const Tensor& portion : query.split(100, 1)) rows.push_back(learner.logits(portion)[0]);
  return torch::cat(rows);
}

/// The probability of each class for each query image: [Q,classes], on the CPU.
Tensor classify(const ReopenedRun& run, const ClassFolders& support,
                const std::vector<fs::path>& query) {
  const Experiment& experiment = run.experiment;
  const Manifest& manifest = experiment.test_data->manifest();
  const ExperimentSpec& spec = experiment.spec;
  const DatasetView view = view_of(spec.episodes.test.dataset.value_or(spec.dataset));
  const auto load = [&](const std::vector<fs::path>& paths) {
    return load_pictures(paths, manifest, view)
        .unsqueeze(0)
        .to(experiment.compute.device, experiment.compute.dtype);
  };
  const Labelled known{
      load(support.images),
      torch::tensor(support.labels, torch::kLong).unsqueeze(0).to(experiment.compute.device)};
  const Tensor asked = load(query);
  const std::vector<uint64_t> task{0};
  const Shapes shapes{manifest.shape, static_cast<int64_t>(support.classes.size())};
  const auto learner = adapt_together(*experiment.algorithm, run.models, known, shapes,
                                      {.seed = spec.episodes.test.seed, .tasks = task});
  const Tensor logits = logits_of(*learner, asked, experiment.algorithm->transductive());
  if (!torch::isfinite(logits).all().item<bool>()) {
    throw Error(Exit::diverged, "the logits are not finite; the weights have diverged");
  }
  return torch::softmax(logits, -1).to(torch::kCPU, torch::kDouble);
}

Json predictions_json(const ClassFolders& support, const std::vector<fs::path>& query,
                      const Tensor& probabilities) {
  Json predictions = Json::array();
  for (size_t i = 0; i < query.size(); ++i) {
    const Tensor row = probabilities[static_cast<int64_t>(i)];
    const auto best = row.argmax().item<int64_t>();
    Json all = Json::object();
    for (size_t c = 0; c < support.classes.size(); ++c) {
      all[support.classes[c]] = row[static_cast<int64_t>(c)].item<double>();
    }
    predictions.push_back({{"image", query[i].string()},
                           {"class", support.classes[static_cast<size_t>(best)]},
                           {"probability", row[best].item<double>()},
                           {"probabilities", all}});
  }
  return predictions;
}

void print_table(const Json& predictions) {
  std::vector<std::vector<std::string>> rows{{"IMAGE", "CLASS", "PROBABILITY"}};
  for (const Json& line : predictions) {
    rows.push_back({line.at("image"), line.at("class"),
                    fmt::format("{:.1f} %", 100 * line.at("probability").get<double>())});
  }
  fmt::print("{}", text_table(rows));
}

int run_predict(const Arguments& arguments) {
  const std::string usage = predict_command().usage;
  const std::string path = run_path(arguments, usage);
  const fs::path folder = required(arguments, "support", usage);
  const std::vector<fs::path> query = query_images(arguments);
  const ClassFolders support = read_class_folders(folder, query);
  const ReopenedRun run = reopen_run(path, edits_of(arguments), device_of(arguments));
  if (run.experiment.test->kind() == TaskKind::regression)
    throw Error(Exit::bad_spec, "{}: learned regressions, but predict sorts pictures into classes",
                run.folder.path().string());
  const Json predictions = predictions_json(support, query, classify(run, support, query));
  if (flag(arguments, "json")) {
    const Json json{{"run", run.record.at("run").at("id")},
                    {"classes", support.classes},
                    {"support_images", support.images.size()},
                    {"transductive", run.experiment.algorithm->transductive()},
                    {"predictions", predictions}};
    fmt::print("{}\n", json.dump(1));
  } else {
    print_table(predictions);
  }
  return 0;
}

}  // namespace

Command predict_command() {
  Command command;
  command.name = "predict";
  command.summary = "classify own pictures with a trained model";
  command.usage = "predict RUN --support DIR --query IMAGE... [--json]";
  command.details =
      "DIR has a sub-folder per class with a few PNG or JPEG pictures each; their number may "
      "differ. The\n"
      "classes need not be any that the model has seen. Pictures are brought to the size of the "
      "run's data\n"
      "in the way its pack was made. A folder in the place of IMAGE stands for the pictures in it. "
      "A queried\n"
      "picture that lies in DIR too is not used as an example.\n\n"
      "  kshot predict results/demo --support pictures/known --query pictures/new";
  command.positional = {"run"};
  command.options.add_options()("support", po::value<std::string>()->value_name("DIR"),
                                "a folder with a sub-folder of pictures per class")(
      "query",
      po::value<std::vector<std::string>>()->multitoken()->composing()->value_name("IMAGE..."),
      "pictures to classify");
  add_compute_options(command.options);
  add_json_option(command.options);
  command.run = run_predict;
  return command;
}

}  // namespace kshot
