#pragma once

#include <sstream>
#include <vector>

#include "framework/base/atomic_file.h"
#include "framework/run/trainer.h"
#include "tests/base/temporary_folder.h"
#include "tests/run/toy_learning.h"

namespace kshot::test {

/// The lines of metrics.jsonl, without the wall-clock figures that no comparison reads.
inline std::vector<Json> metrics(const TemporaryFolder& folder) {
  std::istringstream text(read_file(folder / "metrics.jsonl"));
  std::vector<Json> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back(Json::parse(line));
    if (lines.back().erase("time") != 1) throw std::runtime_error("a line without time: " + line);
  }
  return lines;
}

inline TrainingResult train_with(int threads, const Training& training) {
  TaskEngine engine(threads);
  return train(engine, training);
}

/// A training with all there is: validations, patience, a schedule, retraining; of milliseconds.
inline Training toy_training(const Algorithm& algorithm, const TemporaryFolder& folder) {
  Training training;
  training.algorithm = &algorithm;
  training.train = test::toy_tasks({"train"}, {.way = 4, .shot = 1, .query = 2});
  training.retrain = test::toy_tasks({"train", "validation"}, {.way = 4, .shot = 1, .query = 2});
  training.validation = test::toy_tasks({"validation"}, {.way = 4, .shot = 1, .query = 2}, 1);
  training.validation_tasks = 5;
  training.options.iterations = 9;
  training.options.meta_batch = 2;
  training.options.validate_every = 4;
  training.options.retrain_extra = 2;
  training.optimizer.schedule = {.name = "cosine"};
  training.log_every = 3;
  training.folder = folder.path();
  training.quiet = true;
  return training;
}

}  // namespace kshot::test
