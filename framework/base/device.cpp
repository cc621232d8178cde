#include "framework/base/device.h"

#include <dlfcn.h>

#include <cstdlib>

#include "framework/base/error.h"

namespace kshot {

void load_cuda_if_present() {
  // Determinism of cuBLAS is decided when its first handle is made.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  ::dlopen("libtorch_cuda.so",
           RTLD_NOW | RTLD_GLOBAL);  // absent or without driver: stay on the CPU
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
  const size_t count = torch::cuda::device_count();
  const std::string digits = name == "cuda" ? "0" : name.substr(5);
  const bool number = !digits.empty() && digits.size() < 4 &&
                      digits.find_first_not_of("0123456789") == std::string::npos;
  if (!number || std::stoul(digits) >= count) {
    throw Error(Exit::bad_spec, "--device is \"{}\", expected cuda:0 to cuda:{}", name, count - 1);
  }
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(std::stoi(digits))};
}

std::string device_kind(const torch::Device& device) { return device.is_cuda() ? "cuda" : "cpu"; }

}  // namespace kshot
