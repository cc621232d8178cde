#pragma once

#include <cstdint>

namespace kshot {

/// A linear layer on the samples of one task.
struct DenseShape {
  int64_t samples = 0, inputs = 0, outputs = 0;

  int64_t scratch() const { return (inputs + samples) * outputs; }
};

/// y = x w' + b and, where there is one, ReLU, with its gradient and the gradient of that, in SIMD
/// for this processor; each call is one thread's. x [samples,inputs], w [outputs,inputs],
/// b [outputs], y and g [samples,outputs]; w' is w transposed. `scratch` has shape.scratch()
/// entries.
template <typename Real>
struct DenseKernels {
  /// `b` may be null.
  void (*forward)(const DenseShape& shape, const Real* x, const Real* w, const Real* b, bool relu,
                  Real* scratch, Real* y);

  /// With gz = g where y > 0, or everywhere if y is null: gx = gz w, unless it is null,
  /// gw = gz' x, gb = the sum of gz over samples.
  void (*backward)(const DenseShape& shape, const Real* g, const Real* y, const Real* x,
                   const Real* w, Real* scratch, Real* gx, Real* gw, Real* gb);

  /// For the cotangents a of gx (may be null), q of gw and b of gb:
  /// to_g = a w' + x q' + b where y > 0, to_x = gz q, to_w = gz' a.
  void (*second)(const DenseShape& shape, const Real* a, const Real* q, const Real* b,
                 const Real* g, const Real* y, const Real* x, const Real* w, Real* scratch,
                 Real* to_g, Real* to_x, Real* to_w);
};

/// For float or double.
template <typename Real>
DenseKernels<Real> dense_kernels();

}  // namespace kshot
