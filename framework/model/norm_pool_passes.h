#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>

#include "framework/model/norm_pool_kernels.h"

/// The passes of norm_pool() over whole tensors: task by task, in LibTorch's intra-op threads.
/// Float or double, channels-last; nothing here knows of autograd. What each task gets depends on
/// its own images alone, and no sum on the number of threads.
namespace kshot {

using torch::Tensor;

/// Calls work(stack, first input element, first output element) for portions of the images, side
/// by side: images do not touch each other in a map.
template <typename Work>
void for_images(const ImageStack& stack, const Work& work) {
  const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, stack.size()));
  at::parallel_for(0, stack.images, grain, [&](int64_t first, int64_t last) {
    ImageStack part = stack;
    part.images = last - first;
    work(part, first * stack.size(), first * stack.out_size());
  });
}

/// u [T*N,C,H,W], channels-last, seen task by task.
struct TaskImages {
  int64_t tasks = 0;
  ImageStack task;  ///< the images of one task

  TaskImages(const Tensor& u, int64_t task_count, bool pool);

  int64_t rows() const { return task.images * task.height * task.width; }
  int64_t out_rows() const { return task.images * task.out_height() * task.out_width(); }
};

/// Mean and biased variance of each task's images: [T,C].
struct Moments {
  Tensor mean, variance;
};
Moments moments_of(const Tensor& u, const TaskImages& images);

/// What the forward pass answers, and leaves for the backward pass.
struct Passed {
  Tensor y;            ///< [T*N,C,h,w], channels-last
  Tensor choice = {};  ///< of its shape; undefined where no gradient is asked for
};

/// The maxima of scale u + shift through the activation. scale, shift: [C] or [T,C].
Passed pass_forward(const Tensor& u, const TaskImages& images, const Tensor& scale,
                    const Tensor& shift, double slope, bool keep);

struct NormGradients {
  Tensor u;
  Tensor gamma, beta;  ///< [T,C]
};

/// The gradient through batch norm by batch statistics (Ioffe & Szegedy 2015) for the gradient `gy`
/// of Passed::y, whose choices are `choice`. mean and inv = 1 / sqrt(variance + eps): [T,C]; gamma:
/// [C], [T,C] or undefined.
NormGradients pass_backward(const Tensor& gy, const Tensor& choice, const Tensor& u,
                            const TaskImages& images, const Tensor& mean, const Tensor& inv,
                            const Tensor& gamma, double slope);

/// What comes back to the three gradients of pass_backward: of the shapes of u, [T,C] and [T,C].
struct NormCotangents {
  Tensor u, gamma, beta;
};

/// What goes on from there: of the shapes of gy, u and [T,C].
struct NormSecond {
  Tensor gy, u, gamma;
};

/// The gradient through pass_backward(). All of its arguments, and its answer `first`; gamma is
/// [T,C] or undefined.
NormSecond pass_second(const NormCotangents& of, const Tensor& gy, const Tensor& choice,
                       const Tensor& u, const TaskImages& images, const Tensor& mean,
                       const Tensor& inv, const Tensor& gamma, const NormGradients& first,
                       double slope);

}  // namespace kshot
