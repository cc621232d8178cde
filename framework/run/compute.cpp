#include "framework/run/compute.h"

#include <chrono>

namespace kshot {
namespace {

using Clock = std::chrono::steady_clock;

TaskGradients learn_piece(const Algorithm& algorithm, const ParamList& weights,
                          const Episodes& piece, Context context, const Compute& compute) {
  std::vector<uint64_t> indices;
  for (const TaskPlan& plan : piece.plans) indices.push_back(plan.index);
  context.tasks = indices;
  return algorithm.learn(weights, piece.to(compute.device, compute.dtype), context);
}

/// Adds `from` to `into`, tensor by tensor.
void add_to(ParamList& into, const ParamList& from) {
  if (into.empty()) {
    into = from;
    return;
  }
  TORCH_CHECK(into.size() == from.size(), "gradients of different length");
  for (size_t i = 0; i < into.size(); ++i)
    (into.begin() + static_cast<int64_t>(i))->value.add_(from.at(i).value);
}

ParamList joined(const std::vector<ParamList>& parts) {
  if (parts.empty()) return {};
  std::vector<Tensor> values;
  for (size_t i = 0; i < parts[0].size(); ++i) {
    std::vector<Tensor> rows;
    for (const ParamList& part : parts) rows.push_back(part.at(i).value);
    values.push_back(torch::cat(rows, 0));
  }
  return parts[0].with_values(values);
}

}  // namespace

TaskGradients learn_tasks(TaskEngine& engine, const Algorithm& algorithm, const ParamList& weights,
                          const MetaBatch& tasks, const Context& context, const Compute& compute,
                          double* reduce_seconds) {
  TaskGradients total;
  std::vector<ParamList> statistics;
  std::vector<Tensor> losses, accuracies;
  Clock::duration reducing{};
  engine.run<TaskGradients>(
      tasks.pieces, compute.intra_op_threads,
      [&](int64_t i) { return learn_piece(algorithm, weights, tasks.take(i), context, compute); },
      [&](int64_t, TaskGradients piece) {
        const torch::NoGradGuard no_grad;
        const auto start = Clock::now();
        add_to(total.gradients, piece.gradients);
        statistics.push_back(std::move(piece.statistics));
        losses.push_back(piece.losses);
        if (piece.accuracy.defined()) accuracies.push_back(piece.accuracy);
        reducing += Clock::now() - start;
      });
  const auto start = Clock::now();
  total.statistics = joined(statistics);
  total.losses = torch::cat(losses, 0);
  if (!accuracies.empty()) total.accuracy = torch::cat(accuracies, 0);
  reducing += Clock::now() - start;
  if (reduce_seconds != nullptr) *reduce_seconds = std::chrono::duration<double>(reducing).count();
  return total;
}

}  // namespace kshot
