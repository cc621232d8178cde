#include "experiments/test_summary.h"

namespace kshot {

std::string test_summary(const Experiment& experiment, const Evaluation& evaluation) {
  const EpisodeShape& shape = experiment.spec.episodes.test.shape;
  std::string text =
      fmt::format("{}  {}-way {}-shot, {} episodes: {:.2f} %", experiment.spec.name, shape.way,
                  shape.shot, evaluation.episodes.size(), 100 * evaluation.accuracy.mean);
  if (evaluation.accuracy.ci95)
    text += fmt::format(" +- {:.2f} on these episodes", 100 * *evaluation.accuracy.ci95);
  if (evaluation.ci95_classes)
    text += fmt::format(", +- {:.2f} for new classes", 100 * *evaluation.ci95_classes);
  return text;
}

}  // namespace kshot
