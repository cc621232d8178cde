#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/run/algorithm.h"
#include "framework/run/compute.h"

namespace kshot {

/// `models` of one algorithm, best first, that answer together: each adapts to the tasks by itself,
/// and their outputs are averaged (Antoniou et al. 2019 test the mean logits of the five best
/// validated). One model answers as it would alone.
std::unique_ptr<Learner> adapt_together(const Algorithm& algorithm,
                                        std::span<const ParamList> models, const Labelled& support,
                                        const Shapes& shapes, const Context& context);

/// The best of a training's validations, best first.
struct ModelRanking {
  std::vector<int64_t> iterations;
  std::vector<double> values;  ///< the lower the better

  /// Enters a validation where it belongs, behind its equals, and drops what is then beyond `size`.
  /// Whether it is in.
  bool enter(int64_t iteration, double value, int64_t size);
};

/// The checkpoint of one model of an ensemble, "best-<iteration>".
std::string model_name(int64_t iteration);

/// Removes from `folder` the checkpoints of models that are not among `iterations`.
void remove_other_models(const std::filesystem::path& folder,
                         const std::vector<int64_t>& iterations);

/// The models of a finished training: the ensemble's, or, without iterations, checkpoint "best"
/// alone. On the device and in the dtype of `compute`. Throws as load_checkpoint() does.
std::vector<ParamList> load_models(const std::filesystem::path& folder,
                                   const std::vector<int64_t>& iterations, const ParamList& like,
                                   const Compute& compute);

}  // namespace kshot
