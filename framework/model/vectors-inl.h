// How kernels walk over channels, compiled once for each instruction set. Included again for each
// of them: no ordinary include guard (Highway's convention).
#if defined(KSHOT_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KSHOT_VECTORS_INL_H_
#undef KSHOT_VECTORS_INL_H_
#else
#define KSHOT_VECTORS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls work(d, c) for the channels [c, c + lanes): whole vectors, then one by one.
template <typename Real, class Work>
HWY_INLINE void for_channels(int64_t channels, const Work& work) {
  const hn::ScalableTag<Real> wide;
  const hn::CappedTag<Real, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) work(wide, c);
  for (; c < channels; ++c) work(one, c);
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#endif
