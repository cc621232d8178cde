#pragma once

#include <memory>

#include "datasets/synthetic_glyphs.h"
#include "episodes/episode_sampler.h"
#include "framework/run/evaluator.h"
#include "framework/run/trainer.h"
#include "tests/algorithms/learn_gradient.h"
#include "tests/base/temporary_folder.h"

namespace kshot::test {

/// Tasks on small glyphs: 5-way 1-shot with 5 queries a class.
inline std::shared_ptr<const TaskSource> glyph_tasks(const std::string& split, Purpose purpose) {
  static const DatasetPtr glyphs = [] {
    GlyphOptions options;
    options.train_alphabets = 6;
    options.validation_alphabets = 1;
    options.test_alphabets = 4;
    options.image_size = 14;
    return make_synthetic_glyphs(options);
  }();
  return std::make_shared<EpisodeSampler>(glyphs, GlyphOptions().view,
                                          EpisodeShape{.way = 5, .shot = 1, .query = 5},
                                          EpisodeStream{{split}, 0, purpose});
}

/// Accuracy on 100 tasks of characters that training never met, after so many iterations.
inline double glyph_accuracy(const Algorithm& algorithm, int64_t iterations, double lr) {
  const TemporaryFolder folder;
  Training training;
  training.algorithm = &algorithm;
  training.train = glyph_tasks("train", Purpose::training_tasks);
  training.options.iterations = iterations;
  training.options.validate_every = 0;
  training.optimizer.lr = lr;
  training.folder = folder.path();
  training.quiet = true;
  TaskEngine engine(1);
  const ParamList weights = train(engine, training).models[0];
  return evaluate(engine, algorithm, weights, *glyph_tasks("test", Purpose::test_tasks),
                  {.count = 100}, training.compute)
      ->accuracy.mean;
}

}  // namespace kshot::test
