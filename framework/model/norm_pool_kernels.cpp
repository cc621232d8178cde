// One pass over memory each, in SIMD (Google Highway; the instruction set is chosen at run time).
// Lanes are channels, and every sum runs over pixels in a fixed order: the bits are the same for
// every vector width that has fused multiply-add.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/norm_pool_kernels.cpp"
#include "framework/model/norm_pool_kernels.h"

#include <hwy/foreach_target.h>
// After the above, which compiles this file for each instruction set.
#include <algorithm>

#include "framework/model/norm_pool-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

/// Sums of float stay this short before they go on in double.
constexpr int64_t kBlockRows = 128;

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
  std::fill_n(mean, channels, 0.0);
  std::fill_n(squares, channels, 0.0);
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    for_channels<Real>(channels, [&](auto d, int64_t c) HWY_ATTR {
      block_moments(d, u + first * channels + c, count, channels, first, mean + c, squares + c);
    });
  }
}

// ---- forward

template <typename Real>
struct ForwardArrays {
  const Real *scale, *shift;
  Real slope;
  Real* y;
  Choice* choice;
};

/// One window: pixels at u[0..kPixels) (each pointing at channel c), the output at `out`.
template <int kPixels, class D, typename Real>
HWY_INLINE void forward_window(D d, const Real* const* pixels, int64_t c, int64_t out,
                               const ForwardArrays<Real>& to) {
  const Integers<D> di;
  const auto scale = hn::LoadU(d, to.scale + c), shift = hn::LoadU(d, to.shift + c);
  auto best = hn::MulAdd(hn::LoadU(d, pixels[0] + c), scale, shift);
  auto which = hn::Zero(di);
  for (int k = 1; k < kPixels; ++k) {
    const auto z = hn::MulAdd(hn::LoadU(d, pixels[k] + c), scale, shift);
    const auto better = hn::Or(hn::Gt(z, best), hn::IsNaN(z));  // a NaN is never hidden
    best = hn::IfThenElse(better, z, best);
    which = hn::IfThenElse(hn::RebindMask(di, better),
                           hn::Set(di, static_cast<hn::TFromD<Integers<D>>>(k)), which);
  }
  const auto positive = hn::Gt(best, hn::Zero(d));
  const auto sloped = hn::Mul(best, hn::Set(d, to.slope));
  hn::StoreU(hn::IfThenElse(positive, best, sloped), d, to.y + out + c);
  if (to.choice == nullptr) return;
  const auto off = hn::IfThenZeroElse(hn::RebindMask(di, positive), hn::Set(di, kNotPositive));
  store_choice(d, hn::Or(which, off), to.choice + out + c);
}

template <int kPixels, typename Real>
HWY_INLINE void forward_stack(const ImageStack& stack, const Real* u,
                              const ForwardArrays<Real>& to) {
  for_windows<kPixels>(
      stack,
      [&](const int64_t* places, int64_t out) HWY_ATTR {
        const Real* const pixels[4] = {u + places[0], u + places[1], u + places[2], u + places[3]};
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          forward_window<kPixels>(d, pixels, c, out, to);
        });
      },
      [](int64_t) {});
}

template <typename Real>
void forward(const ImageStack& stack, const Real* u, const Real* scale, const Real* shift,
             Real slope, Real* y, Choice* choice) {
  const ForwardArrays<Real> to{scale, shift, slope, y, choice};
  if (stack.pool) {
    forward_stack<4>(stack, u, to);
  } else {
    forward_stack<1>(stack, u, to);
  }
}

// ---- sums of the gradient

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
  std::fill_n(gz_sum, channels, 0.0);
  std::fill_n(gz_u_sum, channels, 0.0);
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    for_channels<Real>(channels, [&](auto d, int64_t c) HWY_ATTR {
      const int64_t at = first * channels + c;
      block_sums(d, gy + at, chosen + at, choice + at, count, channels, mean + c, slope, gz_sum + c,
                 gz_u_sum + c);
    });
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

template <int kPixels, typename Real>
HWY_INLINE void backward_stack(const ImageStack& stack, const BackwardArrays<Real>& from) {
  for_windows<kPixels>(
      stack,
      [&](const int64_t* pixels, int64_t out) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          backward_window<kPixels>(d, pixels, c, out, from);
        });
      },
      [&](int64_t pixel) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          hn::StoreU(share_of_all(d, pixel, c, from), d, from.gu + pixel + c);
        });
      });
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

// ---- chosen pixels

template <typename Real>
void gather(const ImageStack& stack, const Real* u, const Choice* choice, Real* chosen) {
  for_windows<4>(
      stack,
      [&](const int64_t* pixels, int64_t out) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          const Integers<decltype(d)> di;
          const auto which = hn::And(load_choice(d, choice + out + c), hn::Set(di, kPixel));
          auto found = hn::LoadU(d, u + pixels[0] + c);
          for (int k = 1; k < 4; ++k) {
            const auto here = hn::Eq(which, hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(k)));
            found = hn::IfThenElse(hn::RebindMask(d, here), hn::LoadU(d, u + pixels[k] + c), found);
          }
          hn::StoreU(found, d, chosen + out + c);
        });
      },
      [](int64_t) {});
}

template <typename Real>
void scatter(const ImageStack& stack, const Real* g, const Choice* choice, Real* u) {
  for_windows<4>(
      stack,
      [&](const int64_t* pixels, int64_t out) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          const Integers<decltype(d)> di;
          const auto which = hn::And(load_choice(d, choice + out + c), hn::Set(di, kPixel));
          const auto value = hn::LoadU(d, g + out + c);
          for (int k = 0; k < 4; ++k) {
            const auto here = hn::Eq(which, hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(k)));
            hn::StoreU(hn::IfThenElseZero(hn::RebindMask(d, here), value), d, u + pixels[k] + c);
          }
        });
      },
      [&](int64_t pixel) { std::fill_n(u + pixel, stack.channels, Real{0}); });
}

template <typename Real>
NormPoolKernels<Real> kernels_of() {
  return {&moments<Real>,  &forward<Real>, &sums<Real>,
          &backward<Real>, &gather<Real>,  &scatter<Real>};
}
NormPoolKernels<float> kernels_of_float() { return kernels_of<float>(); }
NormPoolKernels<double> kernels_of_double() { return kernels_of<double>(); }

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
