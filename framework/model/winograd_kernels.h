#pragma once

#include <cstdint>

namespace kshot {

/// Images [images, height, width] with `inputs` channels that a 3x3 convolution of stride 1, with
/// one zero around the image, turns into images of the same size with `outputs` channels. All in
/// one piece of memory, channels last.
struct Conv3x3Shape {
  int64_t images = 0, height = 0, width = 0, inputs = 0, outputs = 0;

  int64_t tile_rows() const { return (height + 1) / 2; }
  int64_t tile_columns() const { return (width + 1) / 2; }
  /// Tiles of 2x2 outputs, an odd last row or column included.
  int64_t tiles() const { return images * tile_rows() * tile_columns(); }
};

/// How many points a transformed tile, and a transformed kernel, has.
constexpr int64_t kWinogradPoints = 16;

/// Minimal filtering F(2x2, 3x3) (Winograd 1980; Lavin & Gray, "Fast algorithms for convolutional
/// neural networks", 2015), for this processor: a tile of 2x2 outputs takes 16 products a pair of
/// channels in the place of 36, at about the rounding error of the plain sum. With
///   B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1], G = [1 0 0; .5 .5 .5; .5 -.5 .5; 0 0 1],
///   A^T = [1 1 1 0; 0 1 -1 -1]
/// an output tile is A^T [(G g G^T) . (B^T d B)] A, summed over the input channels. Kernels are
/// [3,3,inputs,outputs], transformed ones [16,inputs,outputs]. Each call is one thread's work.
template <typename Real>
struct WinogradKernels {
  /// U = G g G^T of `count` = inputs * outputs kernels.
  void (*transform_weight)(const Real* weight, int64_t count, Real* transformed);

  /// The tiles [first, last) of y = conv(x, weight).
  void (*convolve)(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* x,
                   const Real* transformed, Real* y);

  /// The share of the tiles [first, last) in the gradient of the transformed weight, for the
  /// gradient g of y; replaces what is there.
  void (*weight_gradient)(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* x,
                          const Real* g, Real* transformed);

  /// G^T U' G: from the gradient of the transformed weight to that of the weight.
  void (*gradient_of_weight)(const Real* transformed, int64_t count, Real* weight);
};

/// For float or double.
template <typename Real>
WinogradKernels<Real> winograd_kernels();

}  // namespace kshot
