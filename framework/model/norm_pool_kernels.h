#pragma once

#include "framework/model/image_stack.h"

namespace kshot {

/// The passes over memory of batch norm, 2x2 maxima and (Leaky)ReLU in one, and of their gradient,
/// for this processor. All arrays per channel have `channels` entries; each pass is one thread's.
template <typename Real>
struct NormPoolKernels {
  /// Mean and sum of squared deviations of u [rows, channels], per channel.
  void (*moments)(const Real* u, int64_t rows, int64_t channels, double* mean, double* squares);

  /// z = scale u + shift; m = the maximum of z in each window; y = m > 0 ? m : slope m.
  /// Where `choice` is not null, it gets what was passed on.
  void (*forward)(const ImageStack& stack, const Real* u, const Real* scale, const Real* shift,
                  Real slope, Real* y, Choice* choice);

  /// With gz = gy (times slope where not positive), per channel over `rows` outputs, whose windows
  /// chose the pixels `chosen`: sum of gz, and sum of gz (chosen - mean).
  void (*sums)(const Real* gy, const Real* chosen, const Choice* choice, int64_t rows,
               int64_t channels, const Real* mean, Real slope, double* gz_sum, double* gz_u_sum);

  /// gu = a gz + b (u - mean) + c, with gz scattered to the chosen pixels.
  void (*backward)(const ImageStack& stack, const Real* gy, const Choice* choice, const Real* u,
                   const Real* mean, const Real* a, const Real* b, const Real* c, Real slope,
                   Real* gu);

  /// The pixel that each window chose; and its adjoint, g at that pixel and zero elsewhere.
  void (*gather)(const ImageStack& stack, const Real* u, const Choice* choice, Real* chosen);
  void (*scatter)(const ImageStack& stack, const Real* g, const Choice* choice, Real* u);
};

/// For float or double.
template <typename Real>
NormPoolKernels<Real> norm_pool_kernels();

}  // namespace kshot
