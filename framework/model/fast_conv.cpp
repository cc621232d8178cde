#include "framework/model/fast_conv.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "framework/model/channels_last.h"
#include "framework/model/library_conv.h"
#include "framework/model/patch_kernels.h"
#include "framework/model/winograd_kernels.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kFewChannels = 4;

struct Window {
  int64_t stride = 1, padding = 1;

  int64_t size_after(int64_t size, int64_t kernel) const {
    return (size + 2 * padding - kernel) / stride + 1;
  }
};

// ---- one convolution and its weight gradient, task by task
//
// Inside, images are [B,C,H,W], channels-last, B = T*N; weights are [T,k,k,C,O], T = 1 where all
// tasks share them.

/// How many portions a sum is divided into: by shape alone, so that no sum depends on the number of
/// threads; enough for threads to share evenly.
int64_t portion_size(int64_t items, int64_t fewest) {
  constexpr int64_t kPortions = 16;
  return std::max(fewest, (items + kPortions - 1) / kPortions);
}

/// gradient = the sum over portions of `items` of work(first, last, to), in a fixed order.
template <typename Real, class Work>
void sum_of_portions(int64_t items, int64_t fewest, const Tensor& gradient, const Work& work) {
  const int64_t size = portion_size(items, fewest), portions = (items + size - 1) / size;
  const int64_t numel = gradient.numel();
  const Tensor rest = torch::empty({portions - 1, numel}, gradient.options());
  const auto place = [&](int64_t i) {
    return i == 0 ? gradient.data_ptr<Real>() : rest.data_ptr<Real>() + (i - 1) * numel;
  };
  at::parallel_for(0, portions, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) work(i * size, std::min(items, (i + 1) * size), place(i));
  });
  Tensor sum = gradient.view(-1);
  for (int64_t i = 0; i + 1 < portions; ++i) sum.add_(rest[i]);
}

/// Minimal filtering: 3x3, stride 1, one zero around.
template <typename Real>
struct Winograd {
  WinogradKernels<Real> kernels = winograd_kernels<Real>();
  Conv3x3Shape shape;
  int64_t pairs;
  Tensor transformed;

  Winograd(const Tensor& x, int64_t images, int64_t outputs, const Window&, int64_t)
      : shape{.images = images,
              .height = x.size(2),
              .width = x.size(3),
              .inputs = x.size(1),
              .outputs = outputs},
        pairs(shape.inputs * outputs),
        transformed(torch::empty({kWinogradPoints * pairs}, x.options())) {}

  void convolve(const Real* x, const Real* weight, Real* y) const {
    kernels.transform_weight(weight, pairs, transformed.data_ptr<Real>());
    at::parallel_for(0, shape.tiles(), 96, [&](int64_t first, int64_t last) {
      kernels.convolve(shape, first, last, x, transformed.const_data_ptr<Real>(), y);
    });
  }

  void weight_gradient(const Real* x, const Real* g, Real* weight) const {
    sum_of_portions<Real>(shape.tiles(), 240, transformed,
                          [&](int64_t first, int64_t last, Real* to) {
                            kernels.weight_gradient(shape, first, last, x, g, to);
                          });
    kernels.gradient_of_weight(transformed.const_data_ptr<Real>(), pairs, weight);
  }
};

/// Few input channels.
template <typename Real>
struct ByPatches {
  PatchKernels<Real> kernels = patch_kernels<Real>();
  PatchShape shape;
  torch::TensorOptions options;

  ByPatches(const Tensor& x, int64_t images, int64_t outputs, const Window& window, int64_t kernel)
      : shape{.images = images,
              .height = x.size(2),
              .width = x.size(3),
              .channels = x.size(1),
              .kernel = kernel,
              .stride = window.stride,
              .padding = window.padding,
              .outputs = outputs},
        options(x.options()) {}

  void convolve(const Real* x, const Real* weight, Real* y) const {
    at::parallel_for(0, shape.rows(), 8, [&](int64_t first, int64_t last) {
      kernels.convolve(shape, first, last, x, weight, y);
    });
  }

  void weight_gradient(const Real* x, const Real* g, Real* weight) const {
    const Tensor gradient = torch::from_blob(weight, {shape.patch() * shape.outputs}, options);
    sum_of_portions<Real>(shape.rows(), 64, gradient, [&](int64_t first, int64_t last, Real* to) {
      kernels.weight_gradient(shape, first, last, x, g, to);
    });
  }
};

/// Calls work(engine, real) with the engine that serves few or many channels.
template <template <typename> class Engine, class Work>
void with_engine(const Tensor& x, int64_t tasks, int64_t outputs, const Window& window,
                 int64_t kernel, const Work& work) {
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "fast_conv", [&] {
    work(Engine<scalar_t>(x, x.size(0) / tasks, outputs, window, kernel), scalar_t{});
  });
}

template <class Work>
void with_engine(const Tensor& x, int64_t tasks, int64_t outputs, const Window& window,
                 int64_t kernel, const Work& work) {
  TORCH_CHECK(x.is_contiguous(at::MemoryFormat::ChannelsLast), "images must be channels-last");
  if (x.size(1) <= kFewChannels) {
    with_engine<ByPatches>(x, tasks, outputs, window, kernel, work);
  } else {
    with_engine<Winograd>(x, tasks, outputs, window, kernel, work);
  }
}

Tensor convolve_now(const Tensor& x, const Tensor& weight, const Window& window) {
  const int64_t tasks = weight.size(0), kernel = weight.size(1), outputs = weight.size(4);
  const Tensor y = torch::empty({x.size(0), outputs, window.size_after(x.size(2), kernel),
                                 window.size_after(x.size(3), kernel)},
                                x.options(), at::MemoryFormat::ChannelsLast);
  with_engine(x, tasks, outputs, window, kernel, [&](const auto& engine, auto real) {
    using Real = decltype(real);
    for (int64_t t = 0; t < tasks; ++t) {
      engine.convolve(x.const_data_ptr<Real>() + t * (x.numel() / tasks),
                      weight.const_data_ptr<Real>() + t * (weight.numel() / tasks),
                      y.data_ptr<Real>() + t * (y.numel() / tasks));
    }
  });
  return y;
}

Tensor weight_gradient_now(const Tensor& x, const Tensor& g, int64_t tasks, int64_t kernel,
                           const Window& window) {
  const Tensor weight = torch::empty({tasks, kernel, kernel, x.size(1), g.size(1)}, x.options());
  with_engine(x, tasks, g.size(1), window, kernel, [&](const auto& engine, auto real) {
    using Real = decltype(real);
    for (int64_t t = 0; t < tasks; ++t) {
      engine.weight_gradient(x.const_data_ptr<Real>() + t * (x.numel() / tasks),
                             g.const_data_ptr<Real>() + t * (g.numel() / tasks),
                             weight.data_ptr<Real>() + t * (weight.numel() / tasks));
    }
  });
  return weight;
}

// ---- their place in the graph
//
// A convolution is bilinear: each of its gradients is again a convolution or a weight gradient, and
// so is each gradient of those.

/// The kernels that the gradient of a convolution's images is a convolution with: turned by 180
/// degrees, inputs and outputs exchanged.
Tensor turned(const Tensor& weight) { return weight.flip({1, 2}).transpose(3, 4).contiguous(); }

Tensor convolve(const Tensor& x, const Tensor& weight, const Window& window);
Tensor weight_gradient(const Tensor& x, const Tensor& g, int64_t tasks, int64_t kernel,
                       const Window& window);

/// Saved with a function of the graph.
void keep(AutogradContext* context, const Window& window) {
  context->saved_data["stride"] = window.stride;
  context->saved_data["padding"] = window.padding;
}
Window kept(AutogradContext* context) {
  return {context->saved_data["stride"].toInt(), context->saved_data["padding"].toInt()};
}

class Convolution : public torch::autograd::Function<Convolution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Window& window) {
    context->save_for_backward({x, weight});
    keep(context, window);
    return convolve_now(x, weight, window);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], g = channels_last(gradients[0]);
    const Window window = kept(context);
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = convolve(g, turned(weight), window);
    if (context->needs_input_grad(1))
      result[1] = weight_gradient(x, g, weight.size(0), weight.size(1), window);
    return result;
  }
};

class WeightGradient : public torch::autograd::Function<WeightGradient> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& g, int64_t tasks,
                        int64_t kernel, const Window& window) {
    context->save_for_backward({x, g});
    keep(context, window);
    return weight_gradient_now(x, g, tasks, kernel, window);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &g = saved[1], a = gradients[0].contiguous();
    const Window window = kept(context);
    variable_list result(5);
    if (context->needs_input_grad(0)) result[0] = convolve(g, turned(a), window);
    if (context->needs_input_grad(1)) result[1] = convolve(x, a, window);
    return result;
  }
};

Tensor convolve(const Tensor& x, const Tensor& weight, const Window& window) {
  return Convolution::apply(x, weight, window);
}

Tensor weight_gradient(const Tensor& x, const Tensor& g, int64_t tasks, int64_t kernel,
                       const Window& window) {
  return WeightGradient::apply(x, g, tasks, kernel, window);
}

}  // namespace

ConvPath fast_conv_path(const Tensor& x, const Tensor& weight, const Conv2d& conv) {
  constexpr int64_t kFewest = 16, kMost = 256;
  const int64_t outputs = weight.size(-4), inputs = weight.size(-3), kernel = weight.size(-1);
  const bool computable = x.device().is_cpu() && x.numel() > 0 && kernel == weight.size(-2) &&
                          conv.groups == 1 &&
                          (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
  if (!computable) return ConvPath::none;
  if (inputs <= kFewChannels && !x.requires_grad() && kernel <= std::min(x.size(-1), x.size(-2)))
    return ConvPath::direct;
  const bool around = conv.padding != Conv2d::Padding::none;  // at stride 1 `same` is symmetric
  if (kernel == 3 && conv.stride == 1 && around && std::min(inputs, outputs) >= kFewest &&
      std::max(inputs, outputs) <= kMost) {
    return ConvPath::winograd;
  }
  return ConvPath::library;
}

Tensor fast_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv) {
  const int64_t tasks = x.size(0), images = x.size(1);
  const bool own = weight.dim() == 5;
  TORCH_CHECK(!own || weight.size(0) == tasks, "a weight of shape ", weight.sizes(),
              " serves neither all nor ", tasks, " tasks");
  Tensor flat = x.flatten(0, 1);
  const int64_t kernel = weight.size(-1), padding = pad_image(flat, {kernel, kernel}, conv)[0];
  // Made channels-last out here: a copy inside the function would lose its link to the graph.
  const Tensor images_in = channels_last(flat), kernels = own ? weight : weight.unsqueeze(0);
  Tensor y;
  if (fast_conv_path(x, weight, conv) == ConvPath::library) {
    y = library_conv(images_in, kernels, conv.stride, padding);
  } else {
    y = convolve(images_in, kernels.permute({0, 3, 4, 2, 1}).contiguous(),
                 {.stride = conv.stride, .padding = padding});
  }
  Tensor split = y.unflatten(0, {tasks, images});
  if (!bias.defined()) return split;
  return split + (bias.dim() == 2 ? bias.view({tasks, 1, -1, 1, 1}) : bias.view({-1, 1, 1}));
}

}  // namespace kshot
