#include "experiments/sweep/trial_failure.h"

#include "framework/base/atomic_file.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

std::filesystem::path file_of(const SweepPlan& plan, const Trial& trial) {
  return plan.file("failures") / fmt::format("{}.json", trial.index);
}

}  // namespace

void TrialFailure::describe(Fields& fields) {
  fields.option("stage", stage, {.one_of = {"train", "test"}});
  fields.option("exit", exit, {});
  fields.option("message", message, {});
}

std::string stage_name(SweepStage stage) { return stage == SweepStage::train ? "train" : "test"; }

void write_failure(const SweepPlan& plan, const Trial& trial, const TrialFailure& failure) {
  write_file_atomically(file_of(plan, trial), write_config(failure).dump(1) + "\n");
}

std::optional<TrialFailure> find_failure(const SweepPlan& plan, const Trial& trial) {
  const auto path = file_of(plan, trial);
  if (!std::filesystem::exists(path)) return std::nullopt;
  TrialFailure failure;
  try {
    read_config(failure, parse_strict(read_file(path)).value);
  } catch (const Error& problem) {
    throw Error(Exit::bad_data, "{}: {}", path.string(), problem.what());
  }
  return failure;
}

void remove_failure(const SweepPlan& plan, const Trial& trial) {
  std::error_code ignored;
  std::filesystem::remove(file_of(plan, trial), ignored);
}

}  // namespace kshot
