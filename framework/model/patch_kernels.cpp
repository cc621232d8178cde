// Direct convolution in SIMD (Google Highway; the instruction set is chosen at run time). Lanes are
// output channels, and every sum runs in a fixed order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "framework/model/patch_kernels.cpp"
#include "framework/model/patch_kernels.h"

#include <hwy/foreach_target.h>
// After the above, which compiles this file for each instruction set.
#include <algorithm>
#include <vector>

#include "framework/model/matrix_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kshot {
namespace HWY_NAMESPACE {

/// The patches under one row of outputs.
template <typename Real>
class Patches {
 public:
  explicit Patches(const PatchShape& shape)
      : shape_(shape),
        line_((shape.width + 2 * shape.padding) * shape.channels),
        lines_(static_cast<size_t>(shape.kernel * line_)),
        patches_(static_cast<size_t>(shape.out_width() * shape.patch())) {}

  /// [out_width, kernel, kernel, channels] of the row-th row of outputs.
  const Real* of_row(int64_t row, const Real* x) {
    pad_lines(row, x);
    const int64_t run = shape_.kernel * shape_.channels;
    Real* to = patches_.data();
    for (int64_t column = 0; column < shape_.out_width(); ++column) {
      const Real* from = lines_.data() + column * shape_.stride * shape_.channels;
      for (int64_t i = 0; i < shape_.kernel; ++i, to += run) std::copy_n(from + i * line_, run, to);
    }
    return patches_.data();
  }

 private:
  /// The lines of the image that the row needs; their margins stay zero.
  void pad_lines(int64_t row, const Real* x) {
    const int64_t image = row / shape_.out_height(), place = row % shape_.out_height();
    const int64_t size = shape_.width * shape_.channels;
    for (int64_t i = 0; i < shape_.kernel; ++i) {
      Real* const to = lines_.data() + i * line_ + shape_.padding * shape_.channels;
      const int64_t y = place * shape_.stride + i - shape_.padding;
      if (y >= 0 && y < shape_.height) {
        std::copy_n(x + (image * shape_.height + y) * size, size, to);
      } else {
        std::fill_n(to, size, Real{0});
      }
    }
  }

  const PatchShape& shape_;
  int64_t line_;
  std::vector<Real> lines_, patches_;
};

template <typename Real>
void convolve_patches(const PatchShape& shape, int64_t first, int64_t last, const Real* x,
                      const Real* weight, Real* y) {
  Patches<Real> patches(shape);
  const int64_t size = shape.out_width() * shape.outputs;
  for (int64_t row = first; row < last; ++row) {
    product(shape.out_width(), shape.patch(), shape.outputs, patches.of_row(row, x), shape.patch(),
            int64_t{1}, weight, y + row * size, /*add=*/false);
  }
}

template <typename Real>
void weight_gradient_of_patches(const PatchShape& shape, int64_t first, int64_t last, const Real* x,
                                const Real* g, Real* weight) {
  Patches<Real> patches(shape);
  const int64_t size = shape.out_width() * shape.outputs;
  for (int64_t row = first; row < last; ++row) {
    product(shape.patch(), shape.out_width(), shape.outputs, patches.of_row(row, x), int64_t{1},
            shape.patch(), g + row * size, weight, /*add=*/row > first);
  }
}

PatchKernels<float> patches_of_float() {
  return {&convolve_patches<float>, &weight_gradient_of_patches<float>};
}
PatchKernels<double> patches_of_double() {
  return {&convolve_patches<double>, &weight_gradient_of_patches<double>};
}

}  // namespace HWY_NAMESPACE
}  // namespace kshot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kshot {

HWY_EXPORT(patches_of_float);
HWY_EXPORT(patches_of_double);

template <>
PatchKernels<float> patch_kernels() {
  return HWY_DYNAMIC_DISPATCH(patches_of_float)();
}
template <>
PatchKernels<double> patch_kernels() {
  return HWY_DYNAMIC_DISPATCH(patches_of_double)();
}

}  // namespace kshot
#endif
