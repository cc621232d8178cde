// Winograd's minimal filtering in SIMD (Google Highway; the instruction set is chosen at run time).
// Tiles are worked on in blocks that stay in the second-level cache: transform, 16 small matrix
// products, transform back. Lanes are channels, and every sum runs in a fixed order: the bits are
// the same for every vector width that has fused multiply-add, and do not depend on how tiles are
// divided into calls (weight_gradient excepted, whose calls are sums).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/winograd_kernels.cpp"
#include "framework/model/winograd_kernels.h"

#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>
// After the above, which compiles this file for each instruction set.
#include <algorithm>

#include "framework/model/matrix_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

/// Tiles of a block: transformed tiles and transformed kernels of 64 channels share a cache of half
/// a megabyte.
constexpr int64_t kBlockTiles = 24;
constexpr int64_t kPoints = kWinogradPoints;

// ---- tiles

/// Where the pixels of a tile lie; those beyond the image point to `outside`.
template <typename Real, int kSize>
struct TilePixels {
  Real* at[kSize * kSize];

  /// The kSize x kSize pixels from (2 row - margin, 2 column - margin) on.
  TilePixels(const Conv3x3Shape& shape, int64_t tile, int64_t margin, Real* images,
             int64_t channels, Real* outside) {
    const int64_t per_image = shape.tile_rows() * shape.tile_columns();
    const int64_t image = tile / per_image, place = tile % per_image;
    const int64_t top = 2 * (place / shape.tile_columns()) - margin,
                  left = 2 * (place % shape.tile_columns()) - margin;
    for (int64_t i = 0; i < kSize; ++i) {
      for (int64_t j = 0; j < kSize; ++j) {
        const int64_t y = top + i, x = left + j;
        const bool inside = y >= 0 && y < shape.height && x >= 0 && x < shape.width;
        at[i * kSize + j] =
            inside ? images + ((image * shape.height + y) * shape.width + x) * channels : outside;
      }
    }
  }
};

/// B^T d B of the tiles [first, last): into [16, kBlockTiles, inputs].
template <typename Real>
void transform_inputs(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* x,
                      const Real* zeros, Real* transformed) {
  const int64_t channels = shape.inputs, plane = kBlockTiles * channels;
  for (int64_t tile = first; tile < last; ++tile) {
    const TilePixels<const Real, 4> from(shape, tile, 1, x, channels, zeros);
    Real* const to = transformed + (tile - first) * channels;
    for_channels<Real>(channels, [&](auto d, int64_t c) HWY_ATTR {
      using V = hn::VFromD<decltype(d)>;
      V rows[4][4];  // B^T d
      for (int j = 0; j < 4; ++j) {
        const V d0 = hn::LoadU(d, from.at[j] + c), d1 = hn::LoadU(d, from.at[4 + j] + c),
                d2 = hn::LoadU(d, from.at[8 + j] + c), d3 = hn::LoadU(d, from.at[12 + j] + c);
        rows[0][j] = hn::Sub(d0, d2);
        rows[1][j] = hn::Add(d1, d2);
        rows[2][j] = hn::Sub(d2, d1);
        rows[3][j] = hn::Sub(d1, d3);
      }
      for (int i = 0; i < 4; ++i) {
        Real* const row = to + 4 * i * plane + c;
        hn::StoreU(hn::Sub(rows[i][0], rows[i][2]), d, row);
        hn::StoreU(hn::Add(rows[i][1], rows[i][2]), d, row + plane);
        hn::StoreU(hn::Sub(rows[i][2], rows[i][1]), d, row + 2 * plane);
        hn::StoreU(hn::Sub(rows[i][1], rows[i][3]), d, row + 3 * plane);
      }
    });
  }
}

/// A g A^T of the tiles [first, last) of the gradient: into [16, kBlockTiles, outputs].
template <typename Real>
void transform_gradients(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* g,
                         const Real* zeros, Real* transformed) {
  const int64_t channels = shape.outputs, plane = kBlockTiles * channels;
  for (int64_t tile = first; tile < last; ++tile) {
    const TilePixels<const Real, 2> from(shape, tile, 0, g, channels, zeros);
    Real* const to = transformed + (tile - first) * channels;
    for_channels<Real>(channels, [&](auto d, int64_t c) HWY_ATTR {
      using V = hn::VFromD<decltype(d)>;
      V rows[4][2];  // A g
      for (int j = 0; j < 2; ++j) {
        const V g0 = hn::LoadU(d, from.at[j] + c), g1 = hn::LoadU(d, from.at[2 + j] + c);
        rows[0][j] = g0;
        rows[1][j] = hn::Add(g0, g1);
        rows[2][j] = hn::Sub(g0, g1);
        rows[3][j] = hn::Neg(g1);
      }
      for (int i = 0; i < 4; ++i) {
        Real* const row = to + 4 * i * plane + c;
        hn::StoreU(rows[i][0], d, row);
        hn::StoreU(hn::Add(rows[i][0], rows[i][1]), d, row + plane);
        hn::StoreU(hn::Sub(rows[i][0], rows[i][1]), d, row + 2 * plane);
        hn::StoreU(hn::Neg(rows[i][1]), d, row + 3 * plane);
      }
    });
  }
}

/// A^T m A of [16, kBlockTiles, outputs]: the tiles [first, last) of y.
template <typename Real>
void transform_outputs(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* products,
                       Real* nowhere, Real* y) {
  const int64_t channels = shape.outputs, plane = kBlockTiles * channels;
  for (int64_t tile = first; tile < last; ++tile) {
    const TilePixels<Real, 2> to(shape, tile, 0, y, channels, nowhere);
    const Real* const from = products + (tile - first) * channels;
    for_channels<Real>(channels, [&](auto d, int64_t c) HWY_ATTR {
      using V = hn::VFromD<decltype(d)>;
      V rows[2][4];  // A^T m
      for (int j = 0; j < 4; ++j) {
        const Real* const column = from + j * plane + c;
        const V m0 = hn::LoadU(d, column), m1 = hn::LoadU(d, column + 4 * plane),
                m2 = hn::LoadU(d, column + 8 * plane), m3 = hn::LoadU(d, column + 12 * plane);
        rows[0][j] = hn::Add(hn::Add(m0, m1), m2);
        rows[1][j] = hn::Sub(hn::Sub(m1, m2), m3);
      }
      for (int i = 0; i < 2; ++i) {
        const V even = hn::Add(hn::Add(rows[i][0], rows[i][1]), rows[i][2]);
        const V odd = hn::Sub(hn::Sub(rows[i][1], rows[i][2]), rows[i][3]);
        hn::StoreU(even, d, to.at[2 * i] + c);
        hn::StoreU(odd, d, to.at[2 * i + 1] + c);
      }
    });
  }
}

// ---- the four calls

/// A line of pixels that is read where there is no image, and one that is written there.
template <typename Real>
hwy::AlignedFreeUniquePtr<Real[]> blank(int64_t channels) {
  auto line = hwy::AllocateAligned<Real>(static_cast<size_t>(channels));
  std::fill_n(line.get(), channels, Real{0});
  return line;
}

template <typename Real>
hwy::AlignedFreeUniquePtr<Real[]> block_of(int64_t channels) {
  return hwy::AllocateAligned<Real>(static_cast<size_t>(kPoints * kBlockTiles * channels));
}

template <typename Real>
void convolve(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* x,
              const Real* transformed, Real* y) {
  const auto zeros = blank<Real>(shape.inputs), nowhere = blank<Real>(shape.outputs);
  const auto inputs = block_of<Real>(shape.inputs), products = block_of<Real>(shape.outputs);
  for (int64_t tile = first; tile < last; tile += kBlockTiles) {
    const int64_t end = std::min(tile + kBlockTiles, last);
    transform_inputs(shape, tile, end, x, zeros.get(), inputs.get());
    for (int64_t point = 0; point < kPoints; ++point) {
      product(end - tile, shape.inputs, shape.outputs,
              inputs.get() + point * kBlockTiles * shape.inputs, shape.inputs, int64_t{1},
              transformed + point * shape.inputs * shape.outputs,
              products.get() + point * kBlockTiles * shape.outputs, false);
    }
    transform_outputs(shape, tile, end, products.get(), nowhere.get(), y);
  }
}

template <typename Real>
void weight_gradient(const Conv3x3Shape& shape, int64_t first, int64_t last, const Real* x,
                     const Real* g, Real* transformed) {
  const auto zeros = blank<Real>(std::max(shape.inputs, shape.outputs));
  const auto inputs = block_of<Real>(shape.inputs), gradients = block_of<Real>(shape.outputs);
  for (int64_t tile = first; tile < last; tile += kBlockTiles) {
    const int64_t end = std::min(tile + kBlockTiles, last);
    transform_inputs(shape, tile, end, x, zeros.get(), inputs.get());
    transform_gradients(shape, tile, end, g, zeros.get(), gradients.get());
    for (int64_t point = 0; point < kPoints; ++point) {
      product(shape.inputs, end - tile, shape.outputs,
              inputs.get() + point * kBlockTiles * shape.inputs, int64_t{1}, shape.inputs,
              gradients.get() + point * kBlockTiles * shape.outputs,
              transformed + point * shape.inputs * shape.outputs, tile > first);
    }
  }
}

template <typename Real>
void transform_weight(const Real* weight, int64_t count, Real* transformed) {
  for_channels<Real>(count, [&](auto d, int64_t at) HWY_ATTR {
    using V = hn::VFromD<decltype(d)>;
    const V half = hn::Set(d, static_cast<Real>(0.5));
    V rows[4][3];  // G g
    for (int j = 0; j < 3; ++j) {
      const V g0 = hn::LoadU(d, weight + j * count + at),
              g1 = hn::LoadU(d, weight + (3 + j) * count + at),
              g2 = hn::LoadU(d, weight + (6 + j) * count + at);
      const V ends = hn::Add(g0, g2);
      rows[0][j] = g0;
      rows[1][j] = hn::Mul(half, hn::Add(ends, g1));
      rows[2][j] = hn::Mul(half, hn::Sub(ends, g1));
      rows[3][j] = g2;
    }
    for (int i = 0; i < 4; ++i) {
      Real* const row = transformed + 4 * i * count + at;
      const V ends = hn::Add(rows[i][0], rows[i][2]);
      hn::StoreU(rows[i][0], d, row);
      hn::StoreU(hn::Mul(half, hn::Add(ends, rows[i][1])), d, row + count);
      hn::StoreU(hn::Mul(half, hn::Sub(ends, rows[i][1])), d, row + 2 * count);
      hn::StoreU(rows[i][2], d, row + 3 * count);
    }
  });
}

template <typename Real>
void gradient_of_weight(const Real* transformed, int64_t count, Real* weight) {
  for_channels<Real>(count, [&](auto d, int64_t at) HWY_ATTR {
    using V = hn::VFromD<decltype(d)>;
    const V half = hn::Set(d, static_cast<Real>(0.5));
    V rows[3][4];  // G^T U'
    for (int j = 0; j < 4; ++j) {
      const Real* const column = transformed + j * count + at;
      const V u0 = hn::LoadU(d, column), u1 = hn::LoadU(d, column + 4 * count),
              u2 = hn::LoadU(d, column + 8 * count), u3 = hn::LoadU(d, column + 12 * count);
      const V sum = hn::Mul(half, hn::Add(u1, u2));
      rows[0][j] = hn::Add(u0, sum);
      rows[1][j] = hn::Mul(half, hn::Sub(u1, u2));
      rows[2][j] = hn::Add(sum, u3);
    }
    for (int i = 0; i < 3; ++i) {
      Real* const row = weight + 3 * i * count + at;
      const V sum = hn::Mul(half, hn::Add(rows[i][1], rows[i][2]));
      hn::StoreU(hn::Add(rows[i][0], sum), d, row);
      hn::StoreU(hn::Mul(half, hn::Sub(rows[i][1], rows[i][2])), d, row + count);
      hn::StoreU(hn::Add(sum, rows[i][3]), d, row + 2 * count);
    }
  });
}

WinogradKernels<float> winograd_of_float() {
  return {&transform_weight<float>, &convolve<float>, &weight_gradient<float>,
          &gradient_of_weight<float>};
}
WinogradKernels<double> winograd_of_double() {
  return {&transform_weight<double>, &convolve<double>, &weight_gradient<double>,
          &gradient_of_weight<double>};
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kshot {

HWY_EXPORT(winograd_of_float);
HWY_EXPORT(winograd_of_double);

template <>
WinogradKernels<float> winograd_kernels() {
  return HWY_DYNAMIC_DISPATCH(winograd_of_float)();
}
template <>
WinogradKernels<double> winograd_kernels() {
  return HWY_DYNAMIC_DISPATCH(winograd_of_double)();
}

}  // namespace kshot
#endif
