#pragma once

#include <torch/cuda.h>
#include <torch/types.h>

#include <string>

namespace kshot {

/// Registers CUDA with LibTorch where its library is at hand: one program serves machines with and
/// without a GPU. Called once at start.
void load_cuda_if_present();

/// "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1".
/// Throws Error(bad_spec) for anything else and for a GPU that is not there.
torch::Device find_device(const std::string& name);

/// "cpu" or "cuda", the part of a device that results depend on.
std::string device_kind(const torch::Device& device);

}  // namespace kshot
