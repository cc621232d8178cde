#pragma once

#include <memory>

#include "episodes/episode_sampler.h"
#include "episodes/minibatch_source.h"
#include "framework/run/algorithm.h"
#include "tests/toy_dataset.h"

namespace kshot::test {

/// A small conv4 and an algorithm on top of it: real learning that takes milliseconds.
inline std::unique_ptr<const Algorithm> small_algorithm(const std::string& name,
                                                        Json backbone = Json::object()) {
  backbone.update({{"name", "conv4"}, {"blocks", 2}, {"channels", 8}});
  const BackbonePtr network = Registry<BackbonePlugin>::instance().find("conv4").make(backbone);
  return Registry<AlgorithmPlugin>::instance().find(name).make({{"name", name}}, network);
}

/// Tasks from one split of the toy data.
inline std::shared_ptr<const TaskSource> toy_tasks(const std::vector<std::string>& splits,
                                                   const EpisodeShape& shape, uint64_t seed = 0,
                                                   const ToyOptions& options = {}) {
  return std::make_shared<EpisodeSampler>(toy_dataset(options), DatasetView{}, shape,
                                          EpisodeStream{splits, seed, Purpose::training_tasks});
}

/// Minibatches of all classes of these splits.
inline std::shared_ptr<const TaskSource> toy_batches(const std::vector<std::string>& splits,
                                                     const ToyOptions& options = {}) {
  return std::make_shared<MinibatchSource>(toy_dataset(options), DatasetView{}, splits, 32, 1);
}

inline bool same_bits(const ParamList& a, const ParamList& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a.at(i).name != b.at(i).name || !torch::equal(a.at(i).value, b.at(i).value)) return false;
  }
  return true;
}

}  // namespace kshot::test
