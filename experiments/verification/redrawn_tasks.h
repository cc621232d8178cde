#pragma once

#include <memory>
#include <string>

#include "datasets/dataset.h"
#include "experiments/records/recorded_run.h"

namespace kshot {

/// The test tasks of a record, drawn again from what its spec.json and data.json say. A data set
/// that holds samples has none of them here: its tasks can be planned, not loaded.
struct RedrawnTasks {
  DatasetPtr data;
  std::shared_ptr<const TaskSource> tasks;
  bool loadable = false;  ///< the data set draws its tasks and needs no file
};

/// Why the tasks of this record cannot be drawn again here; empty where they can.
std::string obstacle_to_redraw(const RecordedRun& run);

/// Throws Error(bad_data) where data.json contradicts itself, the spec or result.json.
RedrawnTasks redraw_tasks(const RecordedRun& run);

}  // namespace kshot
