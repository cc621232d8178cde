// One pass over memory each, in SIMD (Google Highway; the instruction set is chosen at run time).
// Lanes are channels, and every sum runs over pixels in a fixed order: the bits are the same for
// every vector width that has fused multiply-add.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/norm_pool_kernels.cpp"
#include "framework/model/norm_pool_kernels.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums of float stay this short before they go on in double.
constexpr int64_t kBlockRows = 128;

template <class D>
using Integers = hn::Rebind<hwy::MakeSigned<hn::TFromD<D>>, D>;

// Choices as integers as wide as the reals, and back. The oracle's doubles need not be fast.
template <class D>
HWY_INLINE hn::VFromD<Integers<D>> load_choice(D d, const Choice* from) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return hn::PromoteTo(Integers<D>(), hn::LoadU(hn::Rebind<Choice, D>(), from));
  } else {
    HWY_ALIGN int64_t lanes[hn::MaxLanes(d)];
    for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = from[i];
    return hn::Load(Integers<D>(), lanes);
  }
}
template <class D>
HWY_INLINE void store_choice(D d, hn::VFromD<Integers<D>> choice, Choice* to) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const hn::Rebind<Choice, D> bytes;
    hn::StoreU(hn::DemoteTo(bytes, choice), bytes, to);
  } else {
    HWY_ALIGN int64_t lanes[hn::MaxLanes(d)];
    hn::Store(choice, Integers<D>(), lanes);
    for (size_t i = 0; i < hn::Lanes(d); ++i) to[i] = static_cast<Choice>(lanes[i]);
  }
}

// ---- moments

/// One block of rows for the channels [c, c + lanes), joined to what came before (Chan, Golub,
/// LeVeque 1979).
template <class D, typename Real>
HWY_INLINE void block_moments(D d, const Real* u, int64_t rows, int64_t channels, int64_t before,
                              double* mean, double* squares) {
  auto sum = hn::Zero(d);
  for (int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, hn::LoadU(d, u + r * channels));
  const auto centre = hn::Div(sum, hn::Set(d, static_cast<Real>(rows)));
  auto deviations = hn::Zero(d);
  for (int64_t r = 0; r < rows; ++r) {
    const auto deviation = hn::Sub(hn::LoadU(d, u + r * channels), centre);
    deviations = hn::MulAdd(deviation, deviation, deviations);
  }
  HWY_ALIGN Real centres[hn::MaxLanes(d)], sums[hn::MaxLanes(d)];
  hn::Store(centre, d, centres);
  hn::Store(deviations, d, sums);
  const auto n = static_cast<double>(rows), n_before = static_cast<double>(before);
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane) {
    const double delta = static_cast<double>(centres[lane]) - mean[lane];
    mean[lane] += delta * n / (n + n_before);
    squares[lane] +=
        static_cast<double>(sums[lane]) + delta * delta * n * n_before / (n + n_before);
  }
}

template <typename Real>
void moments(const Real* u, int64_t rows, int64_t channels, double* mean, double* squares) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  std::fill_n(mean, channels, 0.0);
  std::fill_n(squares, channels, 0.0);
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    const Real* block = u + first * channels;
    int64_t c = 0;
    for (; c + lanes <= channels; c += lanes)
      block_moments(wide, block + c, count, channels, first, mean + c, squares + c);
    for (; c < channels; ++c)
      block_moments(one, block + c, count, channels, first, mean + c, squares + c);
  }
}

// ---- forward

template <typename Real>
struct ForwardArrays {
  const Real *scale, *shift;
  Real slope;
  Real *y, *chosen;
  Choice* choice;
};

/// One window: pixels at u[0..kPixels) (each pointing at channel c), the output at `out`.
template <int kPixels, class D, typename Real>
HWY_INLINE void forward_window(D d, const Real* const* pixels, int64_t c, int64_t out,
                               const ForwardArrays<Real>& to) {
  const Integers<D> di;
  const auto scale = hn::LoadU(d, to.scale + c), shift = hn::LoadU(d, to.shift + c);
  auto chosen = hn::LoadU(d, pixels[0] + c);
  auto best = hn::MulAdd(chosen, scale, shift);
  auto which = hn::Zero(di);
  for (int k = 1; k < kPixels; ++k) {
    const auto u = hn::LoadU(d, pixels[k] + c);
    const auto z = hn::MulAdd(u, scale, shift);
    const auto better = hn::Or(hn::Gt(z, best), hn::IsNaN(z));  // a NaN is never hidden
    best = hn::IfThenElse(better, z, best);
    chosen = hn::IfThenElse(better, u, chosen);
    which = hn::IfThenElse(hn::RebindMask(di, better),
                           hn::Set(di, static_cast<hn::TFromD<Integers<D>>>(k)), which);
  }
  const auto positive = hn::Gt(best, hn::Zero(d));
  const auto sloped = hn::Mul(best, hn::Set(d, to.slope));
  hn::StoreU(hn::IfThenElse(positive, best, sloped), d, to.y + out + c);
  if (to.chosen == nullptr) return;
  hn::StoreU(chosen, d, to.chosen + out + c);
  const auto off = hn::IfThenZeroElse(hn::RebindMask(di, positive), hn::Set(di, kNotPositive));
  store_choice(d, hn::Or(which, off), to.choice + out + c);
}

template <int kPixels, typename Real>
HWY_INLINE void forward_stack(const ImageStack& stack, const Real* u,
                              const ForwardArrays<Real>& to) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  const int64_t step = kPixels == 4 ? 2 : 1, channels = stack.channels;
  const int64_t row = stack.width * channels;
  int64_t out = 0;
  for (int64_t n = 0; n < stack.images; ++n) {
    for (int64_t i = 0; i < stack.out_height(); ++i) {
      const Real* corner = u + n * stack.size() + i * step * row;
      for (int64_t j = 0; j < stack.out_width(); ++j) {
        const Real* const pixels[4] = {corner, corner + channels, corner + row,
                                       corner + row + channels};
        int64_t c = 0;
        for (; c + lanes <= channels; c += lanes) forward_window<kPixels>(wide, pixels, c, out, to);
        for (; c < channels; ++c) forward_window<kPixels>(one, pixels, c, out, to);
        corner += step * channels;
        out += channels;
      }
    }
  }
}

template <typename Real>
void forward(const ImageStack& stack, const Real* u, const Real* scale, const Real* shift,
             Real slope, Real* y, Real* chosen, Choice* choice) {
  const ForwardArrays<Real> to{scale, shift, slope, y, chosen, choice};
  if (stack.pool) {
    forward_stack<4>(stack, u, to);
  } else {
    forward_stack<1>(stack, u, to);
  }
}

// ---- sums of the gradient

/// gy, times the slope where the maximum was not positive.
template <class D, typename Real>
HWY_INLINE hn::VFromD<D> through_activation(D d, const Real* gy, hn::VFromD<Integers<D>> choice,
                                            Real slope) {
  const Integers<D> di;
  const auto off = hn::Ne(hn::And(choice, hn::Set(di, kNotPositive)), hn::Zero(di));
  const auto g = hn::LoadU(d, gy);
  return hn::IfThenElse(hn::RebindMask(d, off), hn::Mul(g, hn::Set(d, slope)), g);
}

template <class D, typename Real>
HWY_INLINE void block_sums(D d, const Real* gy, const Real* chosen, const Choice* choice,
                           int64_t rows, int64_t channels, const Real* mean, Real slope,
                           double* gz_sum, double* gz_u_sum) {
  const auto centre = hn::LoadU(d, mean);
  auto sum = hn::Zero(d), product = hn::Zero(d);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * channels;
    const auto gz = through_activation(d, gy + at, load_choice(d, choice + at), slope);
    sum = hn::Add(sum, gz);
    product = hn::MulAdd(gz, hn::Sub(hn::LoadU(d, chosen + at), centre), product);
  }
  HWY_ALIGN Real sums[hn::MaxLanes(d)], products[hn::MaxLanes(d)];
  hn::Store(sum, d, sums);
  hn::Store(product, d, products);
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane) {
    gz_sum[lane] += static_cast<double>(sums[lane]);
    gz_u_sum[lane] += static_cast<double>(products[lane]);
  }
}

template <typename Real>
void sums(const Real* gy, const Real* chosen, const Choice* choice, int64_t rows, int64_t channels,
          const Real* mean, Real slope, double* gz_sum, double* gz_u_sum) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  std::fill_n(gz_sum, channels, 0.0);
  std::fill_n(gz_u_sum, channels, 0.0);
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first), at = first * channels;
    int64_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      block_sums(wide, gy + at + c, chosen + at + c, choice + at + c, count, channels, mean + c,
                 slope, gz_sum + c, gz_u_sum + c);
    }
    for (; c < channels; ++c) {
      block_sums(one, gy + at + c, chosen + at + c, choice + at + c, count, channels, mean + c,
                 slope, gz_sum + c, gz_u_sum + c);
    }
  }
}

// ---- backward

template <typename Real>
struct BackwardArrays {
  const Real* gy;
  const Choice* choice;
  const Real *u, *mean, *a, *b, *c;
  Real slope;
  Real* gu;
};

/// What every pixel gets: b (u - mean) + c.
template <class D, typename Real>
HWY_INLINE hn::VFromD<D> share_of_all(D d, int64_t pixel, int64_t c,
                                      const BackwardArrays<Real>& from) {
  const auto deviation = hn::Sub(hn::LoadU(d, from.u + pixel + c), hn::LoadU(d, from.mean + c));
  return hn::MulAdd(deviation, hn::LoadU(d, from.b + c), hn::LoadU(d, from.c + c));
}

template <int kPixels, class D, typename Real>
HWY_INLINE void backward_window(D d, const int64_t* pixels, int64_t c, int64_t out,
                                const BackwardArrays<Real>& from) {
  const Integers<D> di;
  const auto choice = load_choice(d, from.choice + out + c);
  const auto gz = through_activation(d, from.gy + out + c, choice, from.slope);
  const auto chosen_share = hn::Mul(gz, hn::LoadU(d, from.a + c));
  const auto which = hn::And(choice, hn::Set(di, kPixel));
  for (int k = 0; k < kPixels; ++k) {
    const auto here = hn::Eq(which, hn::Set(di, static_cast<hn::TFromD<Integers<D>>>(k)));
    const auto own = hn::IfThenElseZero(hn::RebindMask(d, here), chosen_share);
    hn::StoreU(hn::Add(share_of_all(d, pixels[k], c, from), own), d, from.gu + pixels[k] + c);
  }
}

template <typename Real>
HWY_INLINE void backward_leftover(int64_t pixel, int64_t channels,
                                  const BackwardArrays<Real>& from) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes)
    hn::StoreU(share_of_all(wide, pixel, c, from), wide, from.gu + pixel + c);
  for (; c < channels; ++c) hn::StoreU(share_of_all(one, pixel, c, from), one, from.gu + pixel + c);
}

template <int kPixels, typename Real>
HWY_INLINE void backward_stack(const ImageStack& stack, const BackwardArrays<Real>& from) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  const int64_t step = kPixels == 4 ? 2 : 1, channels = stack.channels;
  const int64_t row = stack.width * channels;
  int64_t out = 0;
  for (int64_t n = 0; n < stack.images; ++n) {
    const int64_t image = n * stack.size();
    for (int64_t i = 0; i < stack.out_height(); ++i) {
      int64_t corner = image + i * step * row;
      for (int64_t j = 0; j < stack.out_width(); ++j) {
        const int64_t pixels[4] = {corner, corner + channels, corner + row,
                                   corner + row + channels};
        int64_t c = 0;
        for (; c + lanes <= channels; c += lanes)
          backward_window<kPixels>(wide, pixels, c, out, from);
        for (; c < channels; ++c) backward_window<kPixels>(one, pixels, c, out, from);
        corner += step * channels;
        out += channels;
      }
      if (step * stack.out_width() < stack.width) {  // the odd last pixel of both rows
        for (int64_t k = 0; k < step; ++k) backward_leftover(corner + k * row, channels, from);
      }
    }
    for (int64_t i = step * stack.out_height(); i < stack.height; ++i) {
      for (int64_t j = 0; j < stack.width; ++j)
        backward_leftover(image + i * row + j * channels, channels, from);
    }
  }
}

template <typename Real>
void backward(const ImageStack& stack, const Real* gy, const Choice* choice, const Real* u,
              const Real* mean, const Real* a, const Real* b, const Real* c, Real slope, Real* gu) {
  const BackwardArrays<Real> from{gy, choice, u, mean, a, b, c, slope, gu};
  if (stack.pool) {
    backward_stack<4>(stack, from);
  } else {
    backward_stack<1>(stack, from);
  }
}

NormPoolKernels<float> kernels_of_float() {
  return {&moments<float>, &forward<float>, &sums<float>, &backward<float>};
}
NormPoolKernels<double> kernels_of_double() {
  return {&moments<double>, &forward<double>, &sums<double>, &backward<double>};
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kshot {

HWY_EXPORT(kernels_of_float);
HWY_EXPORT(kernels_of_double);

template <>
NormPoolKernels<float> norm_pool_kernels() {
  return HWY_DYNAMIC_DISPATCH(kernels_of_float)();
}
template <>
NormPoolKernels<double> norm_pool_kernels() {
  return HWY_DYNAMIC_DISPATCH(kernels_of_double)();
}

}  // namespace kshot
#endif
