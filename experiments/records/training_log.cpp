#include "experiments/records/training_log.h"

#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"
#include "framework/run/ensemble.h"

namespace kshot {
namespace {

std::vector<Json> lines_of(const std::filesystem::path& log) {
  std::vector<Json> lines;
  std::istringstream text(read_file(log));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse_strict(line).value);
    if (!lines.back().is_object()) {
      throw Error(Exit::bad_data, "metrics.jsonl: line {} is not a JSON object", lines.size());
    }
  }
  if (lines.empty()) throw Error(Exit::bad_data, "metrics.jsonl: there is no line");
  return lines;
}

/// The validations, as the trainer walks through them.
void select(const std::vector<Json>& lines, const Json& options, Json& figures) {
  const bool by_accuracy = options.at("select_by") == "accuracy";
  const int64_t ensemble = options.value("ensemble", 1);  // not in older specs
  ModelRanking ranking;
  for (const Json& line : lines) {
    if (!line.contains("validation")) continue;
    const Json& validation = line["validation"];
    const double value = by_accuracy ? -validation.at("accuracy").get<double>()
                                     : validation.at("loss").get<double>();
    const int64_t iteration = line.at("iteration");
    ranking.enter(iteration, value, ensemble);
    if (ranking.iterations.at(0) != iteration) continue;
    figures["best_iteration"] = iteration;
    figures["best_validation_loss"] = validation.at("loss");
    if (validation.contains("accuracy"))
      figures["best_validation_accuracy"] = validation["accuracy"];
  }
  if (ensemble > 1) figures["ensemble_iterations"] = ranking.iterations;
}

}  // namespace

Json training_figures(const std::filesystem::path& log, const Json& spec) {
  const std::vector<Json> lines = lines_of(log);
  const Json& last = lines.back();
  Json figures{{"iterations", last.at("iteration")}, {"seconds", last.at("time").at("seconds")}};
  for (const Json& line : lines) {
    // Without validations the last weights of the first phase count as the best.
    if (line.at("phase") == "train") figures["best_iteration"] = line.at("iteration");
    if (line.contains("train") && line.at("iteration") == last.at("iteration"))
      figures["tasks_per_second"] = line.at("time").at("tasks_per_second");
  }
  select(lines, spec.at("train"), figures);
  return figures;
}

}  // namespace kshot
