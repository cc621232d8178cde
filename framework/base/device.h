#pragma once

#include <torch/cuda.h>
#include <torch/types.h>

#include <string>

namespace kshot {

/// Called once at start. Registers CUDA with LibTorch where its library is at hand: one program
/// serves machines with and without a GPU. Sets what LibTorch leaves loose: float32 stays IEEE (no
/// TF32 in convolutions) and cuDNN takes only deterministic algorithms, chosen without a race.
void prepare_devices();

/// The settings of prepare_devices() as they stand now, for the record.
struct Arithmetic {
  bool tf32 = false;
  bool deterministic_cudnn = true;
  bool cudnn_benchmark = false;
};
Arithmetic arithmetic();

/// "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1".
/// Throws Error(bad_spec) for anything else and for a GPU that is not there.
torch::Device find_device(const std::string& name);

/// The processor's or the GPU's model as its driver names it, "unknown" where it does not.
std::string device_model(const torch::Device& device);

/// "cpu" or "cuda", the part of a device that results depend on.
std::string device_kind(const torch::Device& device);

}  // namespace kshot
