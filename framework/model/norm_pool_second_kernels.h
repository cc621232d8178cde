#pragma once

#include "framework/model/image_stack.h"

namespace kshot {

/// What the second derivative of norm_pool reads: the images u, the cotangent `a` of their
/// gradient, the gradient gy of the outputs, and what each window passed on.
template <typename Real>
struct SecondInputs {
  const Real *u, *mean, *a, *gy;
  const Choice* choice;
  Real slope;
};

/// The two answers are affine in a, u - mean and gz (gy scattered to the chosen pixels, times the
/// slope where the activation was off), with factors per channel.
template <typename Real>
struct SecondFactors {
  const Real *y_a, *y_u, *y_1;         ///< for gy, at the chosen pixel
  const Real *u_a, *u_u, *u_gz, *u_1;  ///< for u
};

/// The two passes over memory of norm_pool's second derivative, for this processor; each is one
/// thread's. Arrays per channel have `channels` entries.
template <typename Real>
struct NormPoolSecondKernels {
  /// Per channel: the sums of a, of a (u - mean), and of a gz.
  void (*sums)(const ImageStack& stack, const SecondInputs<Real>& from, double* a, double* a_u,
               double* a_gz);

  /// to_gy = slope (y_a a + y_u (u - mean) + y_1) at each window's chosen pixel;
  /// to_u = u_a a + u_u (u - mean) + u_gz gz + u_1.
  void (*map)(const ImageStack& stack, const SecondInputs<Real>& from,
              const SecondFactors<Real>& factors, Real* to_gy, Real* to_u);
};

/// For float or double.
template <typename Real>
NormPoolSecondKernels<Real> norm_pool_second_kernels();

}  // namespace kshot
