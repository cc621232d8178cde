// What the passes of norm_pool share, compiled once for each instruction set. Included again for
// each of them: no ordinary include guard (Highway's convention).
#if defined(KSHOT_NORM_POOL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KSHOT_NORM_POOL_INL_H_
#undef KSHOT_NORM_POOL_INL_H_
#else
#define KSHOT_NORM_POOL_INL_H_
#endif

#include "framework/model/image_stack.h"
#include "framework/model/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

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

/// gy, times the slope where the maximum was not positive.
template <class D, typename Real>
HWY_INLINE hn::VFromD<D> through_activation(D d, const Real* gy, hn::VFromD<Integers<D>> choice,
                                            Real slope) {
  const Integers<D> di;
  const auto off = hn::Ne(hn::And(choice, hn::Set(di, kNotPositive)), hn::Zero(di));
  const auto g = hn::LoadU(d, gy);
  return hn::IfThenElse(hn::RebindMask(d, off), hn::Mul(g, hn::Set(d, slope)), g);
}

/// Calls window(pixels, out) for each window of kPixels pixels, with the places of their first
/// channels in the images and of the output's, and leftover(pixel) for each pixel in none.
template <int kPixels, class Window, class Leftover>
HWY_INLINE void for_windows(const ImageStack& stack, const Window& window,
                            const Leftover& leftover) {
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
        window(pixels, out);
        corner += step * channels;
        out += channels;
      }
      if (step * stack.out_width() < stack.width) {  // the odd last pixel of both rows
        for (int64_t k = 0; k < step; ++k) leftover(corner + k * row);
      }
    }
    for (int64_t i = step * stack.out_height(); i < stack.height; ++i) {
      for (int64_t j = 0; j < stack.width; ++j) leftover(image + i * row + j * channels);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#endif
