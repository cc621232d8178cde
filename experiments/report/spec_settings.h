#pragma once

#include <string>
#include <vector>

#include "framework/base/fields.h"

namespace kshot {

/// A setting that is not the same in all of some runs.
struct Setting {
  std::string path;  ///< "algorithm.inner_lr"
  std::string name;  ///< "inner_lr" where no other setting here ends so, else the path
  std::vector<std::string> values;  ///< of each run, in their order; "" where a run has no such key
};

std::vector<Setting> differing_settings(const std::vector<Json>& specs);

/// What tells each run from the others of a report: its name where that is its own, else the name
/// and the settings that differ among the runs of that name, or those alone where all have one
/// name. Equal texts are told apart by the run's id.
std::vector<std::string> run_labels(const std::vector<std::string>& names,
                                    const std::vector<std::string>& ids,
                                    const std::vector<Json>& specs);

}  // namespace kshot
