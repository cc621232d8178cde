// The passes of norm_pool's second derivative in SIMD (Google Highway; the instruction set is
// chosen at run time). Lanes are channels, and every sum runs over pixels in a fixed order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/norm_pool_second_kernels.cpp"
#include "framework/model/norm_pool_second_kernels.h"

#include <hwy/foreach_target.h>
// After the above, which compiles this file for each instruction set.
#include <algorithm>

#include "framework/model/norm_pool-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

/// Sums of float run over about so many pixels before they go on in double.
constexpr int64_t kBlockPixels = 256;

template <class D>
HWY_INLINE void add_lanes(D d, hn::VFromD<D> values, double* sums) {
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(d)];
  hn::Store(values, d, lanes);
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane) sums[lane] += static_cast<double>(lanes[lane]);
}

/// The three sums for the channels [c, c + lanes).
template <int kPixels, class D, typename Real>
HWY_INLINE void block_sums(D d, int64_t c, const ImageStack& block, const SecondInputs<Real>& from,
                           double* a_sum, double* a_u_sum, double* a_gz_sum) {
  const Integers<D> di;
  const auto mean = hn::LoadU(d, from.mean + c);
  auto sum = hn::Zero(d), with_u = hn::Zero(d), with_gz = hn::Zero(d);
  const auto add = [&](int64_t pixel) HWY_ATTR {
    const auto a = hn::LoadU(d, from.a + pixel + c);
    sum = hn::Add(sum, a);
    with_u = hn::MulAdd(a, hn::Sub(hn::LoadU(d, from.u + pixel + c), mean), with_u);
    return a;
  };
  for_windows<kPixels>(
      block,
      [&](const int64_t* pixels, int64_t out) HWY_ATTR {
        const auto choice = load_choice(d, from.choice + out + c);
        const auto which = hn::And(choice, hn::Set(di, kPixel));
        auto chosen = add(pixels[0]);
        for (int k = 1; k < kPixels; ++k) {
          const auto here = hn::Eq(which, hn::Set(di, static_cast<hn::TFromD<Integers<D>>>(k)));
          chosen = hn::IfThenElse(hn::RebindMask(d, here), add(pixels[k]), chosen);
        }
        const auto gz = through_activation(d, from.gy + out + c, choice, from.slope);
        with_gz = hn::MulAdd(chosen, gz, with_gz);
      },
      [&](int64_t pixel) HWY_ATTR { add(pixel); });
  add_lanes(d, sum, a_sum + c);
  add_lanes(d, with_u, a_u_sum + c);
  add_lanes(d, with_gz, a_gz_sum + c);
}

template <int kPixels, typename Real>
HWY_INLINE void sums_of(const ImageStack& stack, SecondInputs<Real> from, double* a, double* a_u,
                        double* a_gz) {
  const int64_t step = kPixels == 4 ? 2 : 1;
  const int64_t rows = std::max(step, kBlockPixels / stack.width / step * step);
  for (int64_t n = 0; n < stack.images; ++n) {
    for (int64_t row = 0; row < stack.height; row += rows) {
      ImageStack block = stack;
      block.images = 1;
      block.height = std::min(rows, stack.height - row);
      for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
        block_sums<kPixels>(d, c, block, from, a, a_u, a_gz);
      });
      from.u += block.size();
      from.a += block.size();
      from.gy += block.out_size();
      from.choice += block.out_size();
    }
  }
}

template <typename Real>
void second_sums(const ImageStack& stack, const SecondInputs<Real>& from, double* a, double* a_u,
                 double* a_gz) {
  for (double* each : {a, a_u, a_gz}) std::fill_n(each, stack.channels, 0.0);
  if (stack.pool) {
    sums_of<4>(stack, from, a, a_u, a_gz);
  } else {
    sums_of<1>(stack, from, a, a_u, a_gz);
  }
}

template <int kPixels, typename Real>
HWY_INLINE void map_of(const ImageStack& stack, const SecondInputs<Real>& from,
                       const SecondFactors<Real>& by, Real* to_gy, Real* to_u) {
  // u_a a + u_u (u - mean) + u_1, what a pixel gets without a gradient of its own.
  const auto plain = [&](auto d, int64_t c, auto a, auto deviation) HWY_ATTR {
    const auto of_u = hn::MulAdd(deviation, hn::LoadU(d, by.u_u + c), hn::LoadU(d, by.u_1 + c));
    return hn::MulAdd(a, hn::LoadU(d, by.u_a + c), of_u);
  };
  for_windows<kPixels>(
      stack,
      [&](const int64_t* pixels, int64_t out) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          using D = decltype(d);
          const Integers<D> di;
          const auto mean = hn::LoadU(d, from.mean + c);
          const auto choice = load_choice(d, from.choice + out + c);
          const auto which = hn::And(choice, hn::Set(di, kPixel));
          const auto gz = through_activation(d, from.gy + out + c, choice, from.slope);
          const auto own = hn::Mul(gz, hn::LoadU(d, by.u_gz + c));
          auto chosen_a = hn::Zero(d), chosen_u = hn::Zero(d);
          for (int k = 0; k < kPixels; ++k) {
            const auto here = hn::RebindMask(
                d, hn::Eq(which, hn::Set(di, static_cast<hn::TFromD<Integers<D>>>(k))));
            const auto a = hn::LoadU(d, from.a + pixels[k] + c);
            const auto deviation = hn::Sub(hn::LoadU(d, from.u + pixels[k] + c), mean);
            chosen_a = hn::IfThenElse(here, a, chosen_a);
            chosen_u = hn::IfThenElse(here, deviation, chosen_u);
            hn::StoreU(hn::Add(plain(d, c, a, deviation), hn::IfThenElseZero(here, own)), d,
                       to_u + pixels[k] + c);
          }
          const auto of_u =
              hn::MulAdd(chosen_u, hn::LoadU(d, by.y_u + c), hn::LoadU(d, by.y_1 + c));
          const auto answer = hn::MulAdd(chosen_a, hn::LoadU(d, by.y_a + c), of_u);
          const auto off = hn::Ne(hn::And(choice, hn::Set(di, kNotPositive)), hn::Zero(di));
          const auto sloped = hn::Mul(answer, hn::Set(d, from.slope));
          hn::StoreU(hn::IfThenElse(hn::RebindMask(d, off), sloped, answer), d, to_gy + out + c);
        });
      },
      [&](int64_t pixel) HWY_ATTR {
        for_channels<Real>(stack.channels, [&](auto d, int64_t c) HWY_ATTR {
          const auto a = hn::LoadU(d, from.a + pixel + c);
          const auto deviation =
              hn::Sub(hn::LoadU(d, from.u + pixel + c), hn::LoadU(d, from.mean + c));
          hn::StoreU(plain(d, c, a, deviation), d, to_u + pixel + c);
        });
      });
}

template <typename Real>
void second_map(const ImageStack& stack, const SecondInputs<Real>& from,
                const SecondFactors<Real>& factors, Real* to_gy, Real* to_u) {
  if (stack.pool) {
    map_of<4>(stack, from, factors, to_gy, to_u);
  } else {
    map_of<1>(stack, from, factors, to_gy, to_u);
  }
}

NormPoolSecondKernels<float> second_of_float() { return {&second_sums<float>, &second_map<float>}; }
NormPoolSecondKernels<double> second_of_double() {
  return {&second_sums<double>, &second_map<double>};
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kshot {

HWY_EXPORT(second_of_float);
HWY_EXPORT(second_of_double);

template <>
NormPoolSecondKernels<float> norm_pool_second_kernels() {
  return HWY_DYNAMIC_DISPATCH(second_of_float)();
}
template <>
NormPoolSecondKernels<double> norm_pool_second_kernels() {
  return HWY_DYNAMIC_DISPATCH(second_of_double)();
}

}  // namespace kshot
#endif
