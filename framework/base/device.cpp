#include "framework/base/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "framework/base/error.h"

namespace kshot {
namespace {

/// What follows "key...:" in the first such line of a file of /proc, or "unknown".
std::string value_in(const std::filesystem::path& file, const std::string& key) {
  std::ifstream lines(file);
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with(key)) continue;
    const size_t value = line.find_first_not_of(": \t", line.find(':'));
    if (value != std::string::npos) return line.substr(value);
  }
  return "unknown";
}

/// Folders in the order of the bus, in which CUDA counts with CUDA_DEVICE_ORDER=PCI_BUS_ID.
std::string gpu_model(size_t index) {
  std::set<std::filesystem::path> gpus;
  std::error_code absent;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", absent)) {
    gpus.insert(gpu.path());
  }
  if (index >= gpus.size()) return "unknown";
  return value_in(*std::next(gpus.begin(), static_cast<int64_t>(index)) / "information", "Model");
}

}  // namespace

void prepare_devices() {
  // Determinism of cuBLAS is decided when its first handle is made.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", /*overwrite=*/0);
  ::dlopen("libtorch_cuda.so",
           RTLD_NOW | RTLD_GLOBAL);  // absent or without driver: stay on the CPU
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
}

Arithmetic arithmetic() {
  const at::Context& context = at::globalContext();
  return {.tf32 = context.allowTF32CuBLAS() || context.allowTF32CuDNN(),
          .deterministic_cudnn = context.deterministicCuDNN(),
          .cudnn_benchmark = context.benchmarkCuDNN()};
}

torch::Device find_device(const std::string& name) {
  const bool gpu = torch::cuda::is_available();
  if (name == "auto") return {gpu ? torch::kCUDA : torch::kCPU};
  if (name == "cpu") return {torch::kCPU};
  if (name != "cuda" && !name.starts_with("cuda:")) {
    throw Error(Exit::bad_spec, "--device is \"{}\", expected auto, cpu, cuda or cuda:<number>",
                name);
  }
  if (!gpu)
    throw Error(Exit::bad_spec, "--device is \"{}\", but no CUDA device is usable here", name);
  const int64_t count{torch::cuda::device_count()};
  const std::string digits = name == "cuda" ? "0" : name.substr(5);
  const bool number = !digits.empty() && digits.size() < 4 &&
                      digits.find_first_not_of("0123456789") == std::string::npos;
  if (!number || std::stoll(digits) >= count) {
    throw Error(Exit::bad_spec, "--device is \"{}\", expected cuda:0 to cuda:{}", name, count - 1);
  }
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(std::stoi(digits))};
}

std::string device_model(const torch::Device& device) {
  if (device.is_cuda())
    return gpu_model(device.has_index() ? static_cast<size_t>(device.index()) : 0);
  return value_in("/proc/cpuinfo", "model name");
}

std::string device_kind(const torch::Device& device) { return device.is_cuda() ? "cuda" : "cpu"; }

}  // namespace kshot
