#include "framework/run/ensemble.h"

#include <algorithm>

#include "framework/run/checkpoint.h"

namespace kshot {
namespace {

class Ensemble final : public Learner {
 public:
  explicit Ensemble(std::vector<std::unique_ptr<Learner>> learners)
      : learners_(std::move(learners)) {}

  Tensor logits(const Tensor& query) const override {
    std::vector<Tensor> all;
    for (const auto& learner : learners_) all.push_back(learner->logits(query));
    return torch::stack(all).mean(0);
  }

  std::vector<Tensor> logits_by_step(const Tensor& query) const override {
    std::vector<std::vector<Tensor>> by_step;
    for (const auto& learner : learners_) {
      const std::vector<Tensor> own = learner->logits_by_step(query);
      by_step.resize(own.size());
      for (size_t step = 0; step < own.size(); ++step) by_step[step].push_back(own[step]);
    }
    std::vector<Tensor> means;
    for (const auto& step : by_step) means.push_back(torch::stack(step).mean(0));
    return means;
  }

 private:
  std::vector<std::unique_ptr<Learner>> learners_;
};

}  // namespace

std::unique_ptr<Learner> adapt_together(const Algorithm& algorithm,
                                        std::span<const ParamList> models, const Labelled& support,
                                        const Shapes& shapes, const Context& context) {
  if (models.size() == 1) return algorithm.adapt(models[0], support, shapes, context);
  std::vector<std::unique_ptr<Learner>> learners;
  for (const ParamList& weights : models)
    learners.push_back(algorithm.adapt(weights, support, shapes, context));
  return std::make_unique<Ensemble>(std::move(learners));
}

bool ModelRanking::enter(int64_t iteration, double value, int64_t size) {
  const auto place = std::upper_bound(values.begin(), values.end(), value);
  const auto rank = place - values.begin();
  if (rank >= size) return false;
  values.insert(place, value);
  iterations.insert(iterations.begin() + rank, iteration);
  const auto kept = std::min(values.size(), static_cast<size_t>(size));
  values.resize(kept);
  iterations.resize(kept);
  return true;
}

std::string model_name(int64_t iteration) { return "best-" + std::to_string(iteration); }

void remove_other_models(const std::filesystem::path& folder,
                         const std::vector<int64_t>& iterations) {
  std::vector<std::filesystem::path> others;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    const bool kept = std::any_of(iterations.begin(), iterations.end(),
                                  [&](int64_t i) { return model_name(i) == name; });
    if (name.starts_with("best-") && !kept) others.push_back(entry.path());
  }
  for (const auto& path : others) std::filesystem::remove(path);
}

std::vector<ParamList> load_models(const std::filesystem::path& folder,
                                   const std::vector<int64_t>& iterations, const ParamList& like,
                                   const Compute& compute) {
  std::vector<std::string> names;
  for (const int64_t iteration : iterations) names.push_back(model_name(iteration));
  if (names.empty()) names.emplace_back("best");
  std::vector<ParamList> models;
  for (const std::string& name : names) {
    models.push_back(load_checkpoint(folder, name, like).weights.to(compute.device, compute.dtype));
  }
  return models;
}

}  // namespace kshot
