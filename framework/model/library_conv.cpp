#include "framework/model/library_conv.h"

#include <torch/csrc/autograd/custom_function.h>

#include "framework/model/channels_last.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Inside, images are [T*N,C,H,W], channels-last; weights are [T,O,C,k,k], T = 1 where all tasks
/// share them.
struct Shape {
  int64_t stride, padding;
  int64_t tasks;  ///< of weights
  int64_t kernel;
  int64_t height, width;  ///< of the images that go in

  void keep(AutogradContext* context) const {
    context->saved_data["shape"] =
        std::vector<int64_t>{stride, padding, tasks, kernel, height, width};
  }
  static Shape kept(AutogradContext* context) {
    const std::vector<int64_t> shape = context->saved_data["shape"].toIntVector();
    return {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  }
};

// ---- one convolution and its two gradients, task by task

/// The images of one task of `tasks`.
Tensor of_task(const Tensor& images, int64_t t, int64_t tasks) {
  const int64_t count = images.size(0) / tasks;
  return images.narrow(0, t * count, count);
}

template <class Each>
Tensor joined(int64_t tasks, const Each& each) {
  if (tasks == 1) return each(0);
  std::vector<Tensor> parts;
  for (int64_t t = 0; t < tasks; ++t) parts.push_back(each(t));
  return torch::cat(parts, 0);
}

Tensor convolve_now(const Tensor& x, const Tensor& weight, const Shape& s) {
  return channels_last(joined(s.tasks, [&](int64_t t) {
    return torch::convolution(of_task(x, t, s.tasks), channels_last(weight[t]), {},
                              {s.stride, s.stride}, {s.padding, s.padding}, {1, 1},
                              /*transposed=*/false, {0, 0}, /*groups=*/1);
  }));
}

/// One of the two gradients; of the other's argument only the shape counts.
Tensor gradient_now(const Tensor& g, const Tensor& x, const Tensor& weight, const Shape& s,
                    bool of_images) {
  const auto found = torch::convolution_backward(
      g, x, channels_last(weight), {}, {s.stride, s.stride}, {s.padding, s.padding}, {1, 1},
      /*transposed=*/false, {0, 0}, /*groups=*/1, {of_images, !of_images, false});
  return of_images ? std::get<0>(found) : std::get<1>(found);
}

Tensor image_gradient_now(const Tensor& g, const Tensor& weight, const Shape& s) {
  return channels_last(joined(s.tasks, [&](int64_t t) {
    const Tensor own = of_task(g, t, s.tasks);
    const Tensor x = torch::empty({own.size(0), weight.size(2), s.height, s.width}, g.options(),
                                  at::MemoryFormat::ChannelsLast);
    return gradient_now(own, x, weight[t], s, /*of_images=*/true);
  }));
}

Tensor weight_gradient_now(const Tensor& x, const Tensor& g, const Shape& s) {
  const Tensor weight = torch::empty({g.size(1), x.size(1), s.kernel, s.kernel}, x.options());
  return joined(s.tasks, [&](int64_t t) {
    return gradient_now(of_task(g, t, s.tasks), of_task(x, t, s.tasks), weight, s,
                        /*of_images=*/false)
        .contiguous()
        .unsqueeze(0);
  });
}

// ---- their place in the graph

Tensor convolve(const Tensor& x, const Tensor& weight, const Shape& shape);
Tensor image_gradient(const Tensor& g, const Tensor& weight, const Shape& shape);
Tensor weight_gradient(const Tensor& x, const Tensor& g, const Shape& shape);

class LibraryConvolution : public torch::autograd::Function<LibraryConvolution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Shape& shape) {
    context->save_for_backward({x, weight});
    shape.keep(context);
    return convolve_now(x, weight, shape);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor g = channels_last(gradients[0]);
    const Shape shape = Shape::kept(context);
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = image_gradient(g, saved[1], shape);
    if (context->needs_input_grad(1)) result[1] = weight_gradient(saved[0], g, shape);
    return result;
  }
};

class LibraryImageGradient : public torch::autograd::Function<LibraryImageGradient> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& g, const Tensor& weight,
                        const Shape& shape) {
    context->save_for_backward({g, weight});
    shape.keep(context);
    return image_gradient_now(g, weight, shape);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor a = channels_last(gradients[0]);
    const Shape shape = Shape::kept(context);
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = convolve(a, saved[1], shape);
    if (context->needs_input_grad(1)) result[1] = weight_gradient(a, saved[0], shape);
    return result;
  }
};

class LibraryWeightGradient : public torch::autograd::Function<LibraryWeightGradient> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& g,
                        const Shape& shape) {
    context->save_for_backward({x, g});
    shape.keep(context);
    return weight_gradient_now(x, g, shape);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor& a = gradients[0];
    const Shape shape = Shape::kept(context);
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = image_gradient(saved[1], a, shape);
    if (context->needs_input_grad(1)) result[1] = convolve(saved[0], a, shape);
    return result;
  }
};

Tensor convolve(const Tensor& x, const Tensor& weight, const Shape& shape) {
  return LibraryConvolution::apply(x, weight, shape);
}
Tensor image_gradient(const Tensor& g, const Tensor& weight, const Shape& shape) {
  return LibraryImageGradient::apply(g, weight, shape);
}
Tensor weight_gradient(const Tensor& x, const Tensor& g, const Shape& shape) {
  return LibraryWeightGradient::apply(x, g, shape);
}

}  // namespace

Tensor library_conv(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
  return convolve(x, weight,
                  {.stride = stride,
                   .padding = padding,
                   .tasks = weight.size(0),
                   .kernel = weight.size(-1),
                   .height = x.size(-2),
                   .width = x.size(-1)});
}

}  // namespace kshot
