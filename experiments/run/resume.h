#pragma once

#include <string>
#include <vector>

#include "experiments/records/run_folder.h"

namespace kshot {

/// What makes the run in a folder another one than `experiment`: "optimizer.lr is 0.1 there, 0.01
/// here"; keys of the spec, or else the data, the device, LibTorch or kshot's sources.
std::vector<std::string> differences_from(const RunFolder& other, const Experiment& experiment);

/// --resume [RUN_DIR]: the spec decides which run goes on, in `folder`; a folder that was named
/// must be that one. Throws Error(bad_spec) where there is no such run, with what differs from the
/// named one or from an unfinished one of the same name.
void check_resumable(const RunFolder& folder, const Experiment& experiment,
                     const std::string& named);

}  // namespace kshot
