// What a reader must know of a method beside its rank: flags, and the paper's number.
#include <algorithm>
#include <cmath>
#include <functional>

#include "experiments/leaderboard/leaderboard.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

Json block_of(const RecordedRun& run, const char* name) {
  return run.result.value(name, Json::object());
}

bool is_set(const Json& value) {
  return !(value.is_null() || value == Json(false) || value == Json(0) || value.empty());
}

/// Learned from more than the train split of the data that it is tested on: given weights, another
/// data set for training or validation, or the validation classes.
bool extra_data(const RecordedRun& run) {
  const Json backbone = run.spec.value("backbone", Json::object());
  const Json train = run.spec.value("train", Json::object());
  if (is_set(backbone.value("weights", Json())) || is_set(run.env.value("weights_sha256", Json())))
    return true;
  if (is_set(train.value("retrain_extra", Json()))) return true;
  const auto hashes = data_hashes(run);
  return !hashes || std::any_of(hashes->begin(), hashes->end(), [&](const std::string& hash) {
    return !hash.empty() && hash != run.tasks.data_sha256;
  });
}

/// The half-width of the 95 % interval for the mean of one more training, by the n that there are:
/// t_{n-1, 0.975} s sqrt(1 + 1/n).
double next_training_interval(double spread, size_t seeds) {
  const auto n = static_cast<double>(seeds);
  return student_t_quantile(0.975, n - 1) * spread * std::sqrt(1 + 1 / n);
}

}  // namespace

std::vector<std::string> LeaderboardRow::flags() const {
  std::vector<std::string> flags;
  const auto any = [&](const std::function<bool(const RecordedRun&)>& test) {
    return std::any_of(runs.begin(), runs.end(), test);
  };
  if (any([](const auto& run) { return block_of(run, "algorithm").value("transductive", false); }))
    flags.emplace_back("transductive");
  if (any(extra_data)) flags.emplace_back("extra data");
  if (any([](const auto& run) { return is_set(block_of(run, "data").value("leak", Json())); }))
    flags.emplace_back("leaked classes");
  if (any([](const auto& run) { return block_of(run, "run").value("dirty", false); }))
    flags.emplace_back("dirty");
  if (const size_t count = runs[0].result.value("deviations", Json::array()).size(); count > 0)
    flags.push_back(fmt::format("{} deviation{}", count, count == 1 ? "" : "s"));
  if (any([](const auto& run) { return !block_of(run, "paper").value("comparable", true); }))
    flags.emplace_back("not comparable");
  return flags;
}

std::optional<PaperNumber> LeaderboardRow::paper(const Score& measured) const {
  const Json block = block_of(runs[0], "paper");
  if (!block.contains(measured.name) || !block[measured.name].is_number()) return std::nullopt;
  PaperNumber paper{.value = block[measured.name], .comparable = block.value("comparable", true)};
  const std::optional<double> tasks = ci95_classes ? ci95_classes : score.ci95;
  if (!paper.comparable || (!tasks && !seed_spread)) return paper;
  const double training = seed_spread ? next_training_interval(*seed_spread, runs.size()) : 0;
  paper.half_width = std::hypot(tasks.value_or(0), training);
  paper.agrees = std::abs(score.mean - paper.value) <= *paper.half_width;
  return paper;
}

}  // namespace kshot
