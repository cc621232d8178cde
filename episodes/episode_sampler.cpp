#include "episodes/episode_sampler.h"

#include <algorithm>

#include "episodes/task_loading.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

/// Advice where a class of that many images is too small for a shape.
std::string what_fits(int64_t images, const EpisodeShape& shape) {
  if (images > shape.shot) return fmt::format("query {} or less would fit", images - shape.shot);
  if (shape.query == 0 && images >= 1) return fmt::format("shot {} would fit", images);
  if (images >= 2) return fmt::format("shot {} with query 1 would fit", images - 1);
  return "give it two images at least, or leave it out of the split";
}

void check_fits(const std::vector<IndexedClass>& index, const EpisodeShape& shape,
                const std::string& split) {
  const auto classes = static_cast<int64_t>(index.size());
  if (classes < shape.way) {
    throw Error(Exit::bad_spec,
                "split \"{}\" has {} classes; {}-way tasks need {}: lower way to {} or less", split,
                classes, shape.way, shape.way, classes);
  }
  const int64_t needed = shape.shot + shape.query;
  const auto smallest =
      std::min_element(index.begin(), index.end(),
                       [](const auto& a, const auto& b) { return a.rows.size() < b.rows.size(); });
  const auto images = static_cast<int64_t>(smallest->rows.size());
  if (images < needed) {
    throw Error(Exit::bad_spec, "class \"{}\" has {} images; {}-shot with {} queries needs {}: {}",
                smallest->name, images, shape.shot, shape.query, needed, what_fits(images, shape));
  }
}

/// Everything that decides which tasks are drawn, but the index, as 64 bits. What is said of a
/// split counts, not how: its scheme by name or as the default, turned classes by a rule for all
/// splits or for this one.
uint64_t task_key(const Manifest& manifest, const DatasetView& view,
                  const std::vector<IndexedClass>& index, const EpisodeShape& shape,
                  const EpisodeStream& stream) {
  const std::string& scheme = view.splits.empty() ? manifest.default_split : view.splits;
  const auto turned = std::count_if(index.begin(), index.end(),
                                    [](const auto& entry) { return entry.quarter_turns != 0; });
  return sha256_u64(fmt::format("{}|{}|{}|{}|{} turned|{}-way {}-shot {}-query", stream.seed,
                                manifest.sha256, scheme, fmt::join(stream.splits, "+"), turned,
                                shape.way, shape.shot, shape.query));
}

}  // namespace

EpisodeSampler::EpisodeSampler(DatasetPtr dataset, const DatasetView& view,
                               const EpisodeShape& shape, const EpisodeStream& stream)
    : dataset_(std::move(dataset)),
      view_(view),
      shape_(shape),
      index_(index_classes(dataset_->manifest(), view, stream.splits)),
      classes_(task_classes(index_)),
      key_(task_key(dataset_->manifest(), view, index_, shape, stream)),
      purpose_(stream.purpose) {
  check_fits(index_, shape_, fmt::format("{}", fmt::join(stream.splits, "+")));
}

TaskPlan EpisodeSampler::plan(uint64_t index) const {
  Stream stream(key_, purpose_, index);
  TaskPlan plan;
  plan.index = index;
  plan.outputs = shape_.way;
  plan.classes = stream.choose(static_cast<int64_t>(index_.size()), shape_.way);
  for (int64_t label = 0; label < shape_.way; ++label) {
    const auto& rows = index_[static_cast<size_t>(plan.classes[static_cast<size_t>(label)])].rows;
    const auto chosen =
        stream.choose(static_cast<int64_t>(rows.size()), shape_.shot + shape_.query);
    for (int64_t i = 0; i < shape_.shot + shape_.query; ++i) {
      const bool support = i < shape_.shot;
      const int64_t row = rows[static_cast<size_t>(chosen[static_cast<size_t>(i)])];
      (support ? plan.support : plan.query).push_back(row);
      (support ? plan.support_labels : plan.query_labels).push_back(label);
    }
  }
  return plan;
}

Episodes EpisodeSampler::load(std::span<const TaskPlan> plans) const {
  return load_tasks(*dataset_, view_, index_, plans);
}

Shapes EpisodeSampler::shapes() const { return {dataset_->manifest().shape, shape_.way}; }

}  // namespace kshot
