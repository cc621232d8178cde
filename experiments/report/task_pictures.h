#pragma once

#include <string>
#include <vector>

#include "experiments/records/recorded_run.h"

namespace kshot {

/// The images of one test task as they lie in the data set, turned as the task turns them.
struct TaskPictures {
  Tensor support, query;  ///< uint8 [N,C,H,W], C = 1 or 3
};

/// Draws recorded test tasks again through the data set that the run's spec names, without its
/// weights. `plans` are of that record. Throws Error saying why there can be no pictures: the data
/// are not at hand or have another content, or samples are no images.
std::vector<TaskPictures> draw_tasks(const RecordedRun& run, const std::vector<TaskPlan>& plans);

/// uint8 [C,H,W] as the address of a PNG image that holds the image itself.
std::string png_address(const Tensor& image);

}  // namespace kshot
