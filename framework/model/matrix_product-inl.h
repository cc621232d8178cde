// Small matrix products in registers, for kernels that are compiled once for each instruction set.
// Included again for each of them: no ordinary include guard (Highway's convention).
#if defined(KSHOT_MATRIX_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KSHOT_MATRIX_PRODUCT_INL_H_
#undef KSHOT_MATRIX_PRODUCT_INL_H_
#else
#define KSHOT_MATRIX_PRODUCT_INL_H_
#endif

#include "framework/model/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

/// c = (c +) a b for kRows rows and kVectors vectors of columns, held in registers. a(row, i) =
/// a[row * row_step + i * step].
template <int kRows, int kVectors, class D, typename Real>
HWY_INLINE void product_block(D d, int64_t length, const Real* a, int64_t row_step, int64_t step,
                              const Real* b, Real* c, int64_t columns, bool add) {
  using V = hn::VFromD<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = add ? hn::LoadU(d, c + r * columns + v * lanes) : hn::Zero(d);
  }
  for (int64_t i = 0; i < length; ++i) {
    V row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = hn::LoadU(d, b + i * columns + v * lanes);
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, a[r * row_step + i * step]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, row[v], sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * columns + v * lanes);
  }
}

template <int kVectors, class D, typename Real>
HWY_INLINE void product_columns(D d, int64_t rows, int64_t length, const Real* a, int64_t row_step,
                                int64_t step, const Real* b, Real* c, int64_t columns, bool add) {
  constexpr int kRows = 6;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    product_block<kRows, kVectors>(d, length, a + r * row_step, row_step, step, b, c + r * columns,
                                   columns, add);
  }
  for (; r + 2 <= rows; r += 2) {
    product_block<2, kVectors>(d, length, a + r * row_step, row_step, step, b, c + r * columns,
                               columns, add);
  }
  if (r < rows) {
    product_block<1, kVectors>(d, length, a + r * row_step, row_step, step, b, c + r * columns,
                               columns, add);
  }
}

/// c [rows, columns] = (c +) a b with b [length, columns].
template <typename Real>
HWY_INLINE void product(int64_t rows, int64_t length, int64_t columns, const Real* a,
                        int64_t row_step, int64_t step, const Real* b, Real* c, bool add) {
  const hn::ScalableTag<Real> wide;
  // 6 x 4 sums, 4 operands and a factor fit the 32 registers of AVX-512, 6 x 2 the 16 before it.
  constexpr int kVectors = hn::MaxLanes(wide) * sizeof(Real) >= 64 ? 4 : 2;
  int64_t k = 0;
  const auto take = [&]<int kCount>(std::integral_constant<int, kCount>, auto d) HWY_ATTR {
    const int64_t width = kCount * static_cast<int64_t>(hn::Lanes(d));
    for (; k + width <= columns; k += width)
      product_columns<kCount>(d, rows, length, a, row_step, step, b + k, c + k, columns, add);
  };
  take(std::integral_constant<int, kVectors>(), wide);
  if constexpr (kVectors > 2) take(std::integral_constant<int, 2>(), wide);
  const std::integral_constant<int, 1> once;
  take(once, wide);
  // What is left fills no vector; half of one, a quarter, and so on.
  take(once, hn::CappedTag<Real, 8>());
  take(once, hn::CappedTag<Real, 4>());
  take(once, hn::CappedTag<Real, 2>());
  take(once, hn::CappedTag<Real, 1>());
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#endif
