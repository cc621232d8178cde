#include "framework/model/affine_pool.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include "framework/model/norm_pool_passes.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

ImageStack pooled_stack(at::IntArrayRef sizes) {
  return {.images = sizes[0],
          .height = sizes[2],
          .width = sizes[3],
          .channels = sizes[1],
          .pool = true};
}

Tensor gather_now(const Tensor& u, const Tensor& choice) {
  Tensor chosen = torch::empty(choice.sizes(), u.options(), at::MemoryFormat::ChannelsLast);
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "gather", [&] {
    for_images(pooled_stack(u.sizes()), [&](const ImageStack& part, int64_t in, int64_t out) {
      norm_pool_kernels<scalar_t>().gather(part, u.const_data_ptr<scalar_t>() + in,
                                           choice.const_data_ptr<Choice>() + out,
                                           chosen.data_ptr<scalar_t>() + out);
    });
  });
  return chosen;
}

Tensor scatter_now(const Tensor& g, const Tensor& choice, at::IntArrayRef sizes) {
  Tensor u = torch::empty(sizes, g.options(), at::MemoryFormat::ChannelsLast);
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "scatter", [&] {
    for_images(pooled_stack(sizes), [&](const ImageStack& part, int64_t in, int64_t out) {
      norm_pool_kernels<scalar_t>().scatter(part, g.const_data_ptr<scalar_t>() + out,
                                            choice.const_data_ptr<Choice>() + out,
                                            u.data_ptr<scalar_t>() + in);
    });
  });
  return u;
}

// Two linear functions, each the other's gradient.

Tensor gathered(const Tensor& u, const Tensor& choice);
Tensor scattered(const Tensor& g, const Tensor& choice, at::IntArrayRef sizes);

class Gather : public torch::autograd::Function<Gather> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& u, const Tensor& choice) {
    context->save_for_backward({choice});
    context->saved_data["sizes"] = u.sizes().vec();
    return gather_now(u, choice);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {
        scattered(gradients[0].contiguous(at::MemoryFormat::ChannelsLast),
                  context->get_saved_variables()[0], context->saved_data["sizes"].toIntVector()),
        Tensor()};
  }
};

class Scatter : public torch::autograd::Function<Scatter> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& g, const Tensor& choice,
                        at::IntArrayRef sizes) {
    context->save_for_backward({choice});
    return scatter_now(g, choice, sizes);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gathered(gradients[0].contiguous(at::MemoryFormat::ChannelsLast),
                     context->get_saved_variables()[0]),
            Tensor(), Tensor()};
  }
};

Tensor gathered(const Tensor& u, const Tensor& choice) { return Gather::apply(u, choice); }
Tensor scattered(const Tensor& g, const Tensor& choice, at::IntArrayRef sizes) {
  return Scatter::apply(g, choice, sizes);
}

Tensor along_channels(const Tensor& value) {
  return value.dim() == 2 ? value.view({value.size(0), 1, -1, 1, 1}) : value.view({-1, 1, 1});
}

bool in_graph(const Tensor& tensor) {
  return torch::GradMode::is_enabled() && tensor.requires_grad();
}

}  // namespace

Tensor affine_pool(const Tensor& u, const Tensor& scale, const Tensor& shift,
                   const PoolAndActivation& then) {
  const int64_t tasks = u.size(0), images = u.size(1);
  const bool differentiated = in_graph(u) || in_graph(scale) || in_graph(shift);
  Tensor chosen = u;
  if (then.pool || !differentiated) {
    // Made channels-last out here: a copy inside a function would lose its link to the graph.
    const Tensor flat = u.flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
    const Passed passed =
        pass_forward(flat.detach(), TaskImages(flat, tasks, then.pool), scale.detach(),
                     shift.detach(), then.slope, /*keep=*/differentiated);
    if (!differentiated) return passed.y.unflatten(0, {tasks, images});
    chosen = gathered(flat, passed.choice).unflatten(0, {tasks, images});
  }
  Tensor z = torch::addcmul(along_channels(shift), chosen, along_channels(scale));
  if (then.slope == 1) return z;
  return then.slope == 0 ? torch::relu(z) : torch::leaky_relu(z, then.slope);
}

}  // namespace kshot
