#include "experiments/records/test_summary.h"

#include "framework/run/score.h"

namespace kshot {
namespace {

std::string tasks_text(const EpisodeShape& shape, TaskKind kind) {
  if (kind == TaskKind::regression) return fmt::format("{}-shot regression", shape.shot);
  return fmt::format("{}-way {}-shot", shape.way, shape.shot);
}

}  // namespace

std::string test_summary(const Experiment& experiment, const Evaluation& evaluation) {
  const Score& score = score_of(evaluation.kind);
  const Summary& summary = score_summary(evaluation);
  std::string text = fmt::format("{}  {}, {} episodes: {}", experiment.spec.name,
                                 tasks_text(experiment.spec.episodes.test.shape, evaluation.kind),
                                 evaluation.episodes.size(), score.told(summary.mean));
  if (summary.ci95) text += fmt::format(" +- {} on these episodes", score.number(*summary.ci95));
  if (evaluation.ci95_classes)
    text += fmt::format(", +- {} for new classes", score.number(*evaluation.ci95_classes));
  return text;
}

}  // namespace kshot
