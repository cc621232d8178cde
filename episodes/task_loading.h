#pragma once

#include <span>
#include <vector>

#include "datasets/class_index.h"
#include "framework/run/episode.h"

namespace kshot {

/// The names and sources of indexed classes, as task sources report them.
std::vector<TaskClass> task_classes(const std::vector<IndexedClass>& index);

/// Reads, turns and normalises the images of plans of equal shape. Where `plan.classes` names an
/// indexed class per label, its rotation is applied.
Episodes load_tasks(const Dataset& dataset, const DatasetView& view,
                    const std::vector<IndexedClass>& index, std::span<const TaskPlan> plans);

}  // namespace kshot
