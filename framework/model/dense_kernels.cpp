// A linear layer of small matrices in SIMD (Google Highway; the instruction set is chosen at run
// time). Matrix products of this size are bound by calls and copies in a library.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/dense_kernels.cpp"
#include "framework/model/dense_kernels.h"

#include <hwy/foreach_target.h>
// After the above, which compiles this file for each instruction set.
#include <algorithm>

#include "framework/model/matrix_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

template <typename Real>
HWY_INLINE void transpose(int64_t rows, int64_t columns, const Real* from, Real* to) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
  }
}

template <class D>
HWY_INLINE hn::VFromD<D> load_doubles(D d, const float* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), from));
}
template <class D>
HWY_INLINE hn::VFromD<D> load_doubles(D d, const double* from) {
  return hn::LoadU(d, from);
}

/// In double: it is the last sum before a loss, and short.
template <typename Real>
HWY_INLINE Real dot(int64_t length, const Real* a, const Real* b) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes)
    sums = hn::MulAdd(load_doubles(d, a + i), load_doubles(d, b + i), sums);
  double sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < length; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return static_cast<Real>(sum);
}

/// y (+)= x w': few outputs as inner products, many by the transposed matrix.
template <typename Real>
HWY_INLINE void times_transposed(const DenseShape& s, const Real* x, const Real* w, Real* scratch,
                                 Real* y, bool add) {
  constexpr int64_t kFew = 8;
  if (s.outputs < kFew) {
    for (int64_t n = 0; n < s.samples; ++n) {
      for (int64_t o = 0; o < s.outputs; ++o) {
        const Real value = dot(s.inputs, x + n * s.inputs, w + o * s.inputs);
        Real& to = y[n * s.outputs + o];
        to = add ? to + value : value;
      }
    }
    return;
  }
  transpose(s.outputs, s.inputs, w, scratch);
  product(s.samples, s.inputs, s.outputs, x, s.inputs, 1, scratch, y, add);
}

/// gw = gz' x, over the longer side of the answer.
template <typename Real>
HWY_INLINE void weight_gradient(const DenseShape& s, const Real* gz, const Real* x, Real* scratch,
                                Real* gw) {
  if (s.inputs >= s.outputs) {
    product(s.outputs, s.samples, s.inputs, gz, 1, s.outputs, x, gw, false);
    return;
  }
  product(s.inputs, s.samples, s.outputs, x, 1, s.inputs, gz, scratch, false);
  transpose(s.inputs, s.outputs, scratch, gw);
}

/// g where y > 0; g itself if there is no y.
template <typename Real>
HWY_INLINE const Real* masked(const DenseShape& s, const Real* g, const Real* y, Real* to) {
  if (y == nullptr) return g;
  for (int64_t i = 0; i < s.samples * s.outputs; ++i) to[i] = y[i] > 0 ? g[i] : Real{0};
  return to;
}

template <typename Real>
void forward(const DenseShape& s, const Real* x, const Real* w, const Real* b, bool relu,
             Real* scratch, Real* y) {
  if (b != nullptr) {
    for (int64_t n = 0; n < s.samples; ++n) std::copy_n(b, s.outputs, y + n * s.outputs);
  }
  times_transposed(s, x, w, scratch, y, b != nullptr);
  if (!relu) return;
  for (int64_t i = 0; i < s.samples * s.outputs; ++i) y[i] = y[i] < 0 ? Real{0} : y[i];
}

template <typename Real>
void backward(const DenseShape& s, const Real* g, const Real* y, const Real* x, const Real* w,
              Real* scratch, Real* gx, Real* gw, Real* gb) {
  const Real* const gz = masked(s, g, y, scratch + s.inputs * s.outputs);
  if (gx != nullptr) product(s.samples, s.outputs, s.inputs, gz, s.outputs, 1, w, gx, false);
  weight_gradient(s, gz, x, scratch, gw);
  std::copy_n(gz, s.outputs, gb);
  for (int64_t n = 1; n < s.samples; ++n) {
    for (int64_t o = 0; o < s.outputs; ++o) gb[o] += gz[n * s.outputs + o];
  }
}

template <typename Real>
void second(const DenseShape& s, const Real* a, const Real* q, const Real* b, const Real* g,
            const Real* y, const Real* x, const Real* w, Real* scratch, Real* to_g, Real* to_x,
            Real* to_w) {
  for (int64_t n = 0; n < s.samples; ++n) std::copy_n(b, s.outputs, to_g + n * s.outputs);
  times_transposed(s, x, q, scratch, to_g, true);
  if (a != nullptr) times_transposed(s, a, w, scratch, to_g, true);
  const Real* const gz = masked(s, g, y, scratch + s.inputs * s.outputs);
  product(s.samples, s.outputs, s.inputs, gz, s.outputs, 1, q, to_x, false);
  if (a != nullptr) {
    weight_gradient(s, gz, a, scratch, to_w);
  } else {
    std::fill_n(to_w, s.outputs * s.inputs, Real{0});
  }
  masked(s, to_g, y, to_g);
}

template <typename Real>
DenseKernels<Real> kernels_of() {
  return {&forward<Real>, &backward<Real>, &second<Real>};
}
DenseKernels<float> dense_of_float() { return kernels_of<float>(); }
DenseKernels<double> dense_of_double() { return kernels_of<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kshot {

HWY_EXPORT(dense_of_float);
HWY_EXPORT(dense_of_double);

template <>
DenseKernels<float> dense_kernels() {
  return HWY_DYNAMIC_DISPATCH(dense_of_float)();
}
template <>
DenseKernels<double> dense_kernels() {
  return HWY_DYNAMIC_DISPATCH(dense_of_double)();
}

}  // namespace kshot
#endif
