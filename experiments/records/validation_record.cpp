#include "experiments/records/validation_record.h"

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/base/strict_json.h"
#include "framework/run/score.h"

namespace kshot {

void ValidationRecord::describe(Fields& fields) {
  fields.option("accuracy", accuracy, {});
  fields.option("loss", loss, {});
  fields.option("iteration", iteration, {});
  fields.option("iterations", iterations, {});
  fields.option("seconds", seconds, {});
}

ValidationRecord validation_of(const TrainingResult& trained) {
  return {.accuracy = trained.best_validation_accuracy,
          .loss = trained.best_validation_loss,
          .iteration = trained.best_iteration,
          .iterations = trained.iterations,
          .seconds = trained.seconds};
}

std::optional<ValidationRecord> validate_untrained(TaskEngine& engine, const Experiment& experiment,
                                                   const std::vector<ParamList>& models,
                                                   bool quiet) {
  DatasetCache datasets;
  const auto source = validation_source(experiment.spec, datasets);
  if (!source) return ValidationRecord{};
  const HeldOutTasks& tasks = experiment.spec.episodes.validation;
  Progress progress("validation", tasks.count, quiet);
  const auto evaluation = evaluate(engine, *experiment.algorithm, models, *source,
                                   {.count = tasks.count,
                                    .seed = tasks.seed,
                                    .progress = [&](int64_t done) { progress.update(done); }},
                                   experiment.compute);
  if (!evaluation) return std::nullopt;
  ValidationRecord validation{.accuracy = {}, .loss = evaluation->loss.mean};
  if (evaluation->kind == TaskKind::classification) validation.accuracy = evaluation->accuracy.mean;
  return validation;
}

std::optional<ValidationRecord> find_validation(const RunFolder& folder) {
  ValidationRecord validation;
  if (const auto path = folder.file("validation.json"); std::filesystem::exists(path)) {
    try {
      read_config(validation, parse_strict(read_file(path)).value);
    } catch (const Error& problem) {
      throw Error(Exit::bad_data, "{}: {}", path.string(), problem.what());
    }
    return validation;
  }
  if (!folder.finished()) return std::nullopt;
  const Json result = folder.result();
  if (!result.contains("train")) return std::nullopt;
  const Json& train = result["train"];
  const auto figure = [&](const char* key) -> std::optional<double> {
    return train.contains(key) ? std::optional(train[key].get<double>()) : std::nullopt;
  };
  return ValidationRecord{.accuracy = figure("best_validation_accuracy"),
                          .loss = figure("best_validation_loss"),
                          .iteration = train.value("best_iteration", int64_t{0}),
                          .iterations = train.value("iterations", int64_t{0}),
                          .seconds = train.value("seconds", 0.0)};
}

std::string validation_text(const ValidationRecord& validation) {
  const auto value = validation.score();
  if (!value) return "no validation";
  const Score& score =
      score_of(validation.accuracy ? TaskKind::classification : TaskKind::regression);
  std::string text = "validation " + score.told(*value);
  if (validation.iterations > 0) text += fmt::format(" at iteration {}", validation.iteration);
  return text;
}

}  // namespace kshot
