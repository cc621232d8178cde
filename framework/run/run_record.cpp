#include "framework/run/run_record.h"

#include <sys/resource.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>

#include "framework/base/atomic_file.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

/// Where a file lies does not decide a number; what is in it does, and has its own hash.
void drop_paths(Json& json) {
  if (json.is_object()) json.erase("path");
  for (Json& item : json) {
    if (item.is_structured()) drop_paths(item);
  }
}

/// As specs say it.
std::string dtype_name(torch::Dtype dtype) {
  return dtype == torch::kDouble ? "float64" : "float32";
}

/// The part of env.json that decides numbers.
Json deciding_environment(const RunIdentity& identity) {
  const Compute& compute = identity.compute;
  return {{"data_sha256", identity.data_sha256},
          {"weights_sha256", identity.weights_sha256},
          {"device", device_kind(compute.device)},
          {"dtype", dtype_name(compute.dtype)},
          {"task_mode", compute.task_mode},
          {"intra_op_threads", compute.intra_op_threads},
          {"libtorch", TORCH_VERSION},
          {"source_id", build_info().source_id}};
}

}  // namespace

std::string recorded_run_id(const Json& spec, const Json& env) {
  Json deciding{{"spec", spec}};
  for (const char* key : {"name", "paper", "deviations", "log"}) deciding["spec"].erase(key);
  drop_paths(deciding["spec"]);
  if (deciding["spec"].contains("backbone")) deciding["spec"]["backbone"].erase("weights");
  for (const auto& [key, called] :
       {std::pair{"data_sha256", "data"}, std::pair{"weights_sha256", "weights"},
        std::pair{"device", "device"}, std::pair{"dtype", "dtype"},
        std::pair{"task_mode", "task_mode"}, std::pair{"intra_op_threads", "intra_op_threads"},
        std::pair{"libtorch", "libtorch"}, std::pair{"source_id", "source_id"}}) {
    if (!env.contains(key)) throw Error(Exit::bad_data, "env.json has no {}", key);
    deciding[called] = env[key];
  }
  return sha256_hex(deciding.dump()).substr(0, 12);  // nlohmann's objects are sorted by key
}

std::string run_id(const RunIdentity& identity) {
  return recorded_run_id(identity.spec, deciding_environment(identity));
}

Json environment(const RunIdentity& identity, int threads) {
  const BuildInfo& build = build_info();
  const Compute& compute = identity.compute;
  Json env = deciding_environment(identity);
  env.update({{"kshot", build.version},
              {"git_commit", build.git_commit},
              {"dirty", build.git_dirty},
              {"compiler", build.compiler},
              {"build_type", build.build_type},
              {"cpu", device_model(torch::kCPU)},
              {"threads", threads}});
  const Arithmetic settings = arithmetic();
  env["arithmetic"] = {{"tf32", settings.tf32},
                       {"deterministic_cudnn", settings.deterministic_cudnn},
                       {"cudnn_benchmark", settings.cudnn_benchmark}};
  if (compute.device.is_cuda()) env["gpu"] = device_model(compute.device);
  return env;
}

namespace {

Json summary_block(const Summary& summary) {
  Json block{{"mean", summary.mean}};
  if (summary.std) block["std"] = *summary.std;
  if (summary.ci95) block["ci95_episodes"] = *summary.ci95;
  return block;
}

}  // namespace

Json accuracy_block(const Evaluation& evaluation) {
  Json block = summary_block(evaluation.accuracy);
  if (evaluation.ci95_classes) block["ci95_classes"] = *evaluation.ci95_classes;
  return block;
}

Json loss_block(const Evaluation& evaluation) { return summary_block(evaluation.loss); }

Json error_block(const Evaluation& evaluation) {
  Json steps = Json::array();
  for (size_t k = 0; k < evaluation.mse_by_step.size(); ++k) {
    Json step = summary_block(evaluation.mse_by_step[k]);
    step.erase("std");
    step["step"] = k;
    steps.push_back(step);
  }
  return {{"mse", summary_block(evaluation.loss)}, {"by_step", steps}};
}

Json figures_block(const Evaluation& evaluation) {
  if (evaluation.kind == TaskKind::regression)
    return {{"error", error_block(evaluation)}, {"loss", loss_block(evaluation)}};
  return {{"accuracy", accuracy_block(evaluation)}, {"loss", loss_block(evaluation)}};
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static rusage usage_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

int64_t peak_memory_bytes() { return int64_t{usage_so_far().ru_maxrss} * 1024; }

int64_t page_faults() { return usage_so_far().ru_minflt; }

}  // namespace kshot
