#pragma once

#include <cstdint>

namespace kshot {

/// A convolution of few input channels: images [images, height, width, channels] and answers
/// [images, out_height, out_width, outputs], channels last, with `padding` zeros around the image.
struct PatchShape {
  int64_t images = 0, height = 0, width = 0, channels = 0;
  int64_t kernel = 3, stride = 1, padding = 1, outputs = 0;

  int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  int64_t rows() const { return images * out_height(); }  ///< of outputs
  int64_t patch() const { return kernel * kernel * channels; }
};

/// Direct convolution for one to four channels, for this processor: the patches under a row of
/// outputs, [out_width, kernel*kernel*channels], stay in the first-level cache and are multiplied
/// by the kernels [kernel,kernel,channels,outputs]. Each call is one thread's work.
template <typename Real>
struct PatchKernels {
  /// The rows [first, last) of y = conv(x, weight).
  void (*convolve)(const PatchShape& shape, int64_t first, int64_t last, const Real* x,
                   const Real* weight, Real* y);

  /// The share of the rows [first, last) in the gradient of the weight, for the gradient g of y;
  /// replaces what is there.
  void (*weight_gradient)(const PatchShape& shape, int64_t first, int64_t last, const Real* x,
                          const Real* g, Real* weight);
};

/// For float or double.
template <typename Real>
PatchKernels<Real> patch_kernels();

}  // namespace kshot
