#include "framework/model/dense.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "framework/model/dense_kernels.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<Tensor>;  // apply() takes no undefined tensors

// Inside, each task has its own parameters; where tasks share them, they lie in memory once, with a
// step of 0 from task to task.

Tensor for_each_task(const Tensor& param, int64_t shared_rank, int64_t tasks) {
  Tensor own = param;
  if (param.dim() == shared_rank) {
    std::vector<int64_t> shape = param.sizes().vec();
    shape.insert(shape.begin(), tasks);
    own = param.expand(shape);
  }
  TORCH_CHECK(own.size(0) == tasks, "a parameter of shape ", param.sizes(),
              " serves neither all nor ", tasks, " tasks");
  // The parts of one task must lie close together.
  const bool close = own.stride(-1) == 1 && (shared_rank == 1 || own.stride(-2) == own.size(-1));
  return close ? own : own.contiguous();
}

DenseShape shape_of(const Tensor& x, const Tensor& weight) {
  return {.samples = x.size(1), .inputs = x.size(2), .outputs = weight.size(1)};
}

/// Where task t's part of a tensor begins; null if there is none.
template <typename Real>
const Real* part(const Tensor& tensor, int64_t t) {
  return tensor.defined() ? tensor.const_data_ptr<Real>() + t * tensor.stride(0) : nullptr;
}
template <typename Real>
Real* room(const Tensor& tensor, int64_t t) {
  return tensor.defined() ? tensor.data_ptr<Real>() + t * tensor.stride(0) : nullptr;
}

/// Calls work(t, scratch) for each task, side by side where there is enough to do.
template <typename Real, class Work>
void for_tasks(int64_t tasks, const DenseShape& shape, const Work& work) {
  constexpr int64_t kWorthAThread = 50'000;  // multiplications
  const int64_t each = shape.samples * shape.inputs * shape.outputs;
  const int64_t grain = std::max<int64_t>(1, kWorthAThread / std::max<int64_t>(1, each));
  at::parallel_for(0, tasks, grain, [&](int64_t first, int64_t last) {
    std::vector<Real> scratch(static_cast<size_t>(shape.scratch()));
    for (int64_t t = first; t < last; ++t) work(t, scratch.data());
  });
}

struct DenseGradients {
  Tensor x, weight, bias;  ///< x: undefined where it is not wanted
};

/// `y`: the layer's answer, of which the sign counts; undefined without ReLU.
DenseGradients gradients_now(const Tensor& g, const Tensor& x, const Tensor& weight,
                             const Tensor& y, bool wants_x) {
  const int64_t tasks = x.size(0);
  const DenseShape shape = shape_of(x, weight);
  DenseGradients found{.x = wants_x ? torch::empty_like(x) : Tensor(),
                       .weight = torch::empty({tasks, shape.outputs, shape.inputs}, x.options()),
                       .bias = torch::empty({tasks, shape.outputs}, x.options())};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dense_gradients", [&] {
    using Real = scalar_t;
    for_tasks<Real>(tasks, shape, [&](int64_t t, Real* scratch) {
      dense_kernels<Real>().backward(shape, part<Real>(g, t), part<Real>(y, t), part<Real>(x, t),
                                     part<Real>(weight, t), scratch, room<Real>(found.x, t),
                                     room<Real>(found.weight, t), room<Real>(found.bias, t));
    });
  });
  return found;
}

/// The gradients of g, x and weight for the cotangents of gradients_now()'s answers.
variable_list second_now(const DenseGradients& of, const Tensor& g, const Tensor& x,
                         const Tensor& weight, const Tensor& y) {
  const int64_t tasks = x.size(0);
  const DenseShape shape = shape_of(x, weight);
  variable_list found{torch::empty_like(g), torch::empty_like(x),
                      torch::empty({tasks, shape.outputs, shape.inputs}, x.options())};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dense_second", [&] {
    using Real = scalar_t;
    for_tasks<Real>(tasks, shape, [&](int64_t t, Real* scratch) {
      dense_kernels<Real>().second(
          shape, part<Real>(of.x, t), part<Real>(of.weight, t), part<Real>(of.bias, t),
          part<Real>(g, t), part<Real>(y, t), part<Real>(x, t), part<Real>(weight, t), scratch,
          room<Real>(found[0], t), room<Real>(found[1], t), room<Real>(found[2], t));
    });
  });
  return found;
}

/// The same by LibTorch's operations, for derivatives beyond the second.
variable_list second_plain(const DenseGradients& of, const Tensor& g, const Tensor& x,
                           const Tensor& weight, const Tensor& y) {
  const auto masked = [&](const Tensor& value) {
    return y.defined() ? value * (y > 0).to(value.scalar_type()) : value;
  };
  const Tensor gz = masked(g);
  Tensor to_g = torch::baddbmm(of.bias.unsqueeze(1), x, of.weight.transpose(1, 2));
  if (of.x.defined()) to_g = to_g + torch::bmm(of.x, weight.transpose(1, 2));
  return {masked(to_g), torch::bmm(gz, of.weight),
          of.x.defined() ? torch::bmm(gz.transpose(1, 2), of.x) : torch::zeros_like(weight)};
}

class DenseGradient : public torch::autograd::Function<DenseGradient> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& g, const Tensor& x,
                               const Tensor& weight, const Optional& y, bool wants_x) {
    const Tensor sign = y.value_or(Tensor());
    context->save_for_backward({g, x, weight, sign});
    context->saved_data["wants_x"] = wants_x;
    const DenseGradients found = gradients_now(g, x, weight, sign, wants_x);
    if (!wants_x) return {found.weight, found.bias};
    return {found.weight, found.bias, found.x};
  }

  static variable_list backward(AutogradContext* context, const variable_list& cotangents) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &g = saved[0], &x = saved[1], &weight = saved[2], &y = saved[3];
    const auto or_zeros = [&](const Tensor& cotangent, at::IntArrayRef shape) {
      return cotangent.defined() ? cotangent.contiguous() : torch::zeros(shape, x.options());
    };
    DenseGradients of{.x = {},
                      .weight = or_zeros(cotangents[0], weight.sizes()),
                      .bias = or_zeros(cotangents[1], {x.size(0), weight.size(1)})};
    if (context->saved_data["wants_x"].toBool() && cotangents[2].defined())
      of.x = cotangents[2].contiguous();
    variable_list result = torch::GradMode::is_enabled() ? second_plain(of, g, x, weight, y)
                                                         : second_now(of, g, x, weight, y);
    result.resize(5);
    return result;
  }
};

class Dense : public torch::autograd::Function<Dense> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Optional& bias, bool relu) {
    const int64_t tasks = x.size(0);
    const DenseShape shape = shape_of(x, weight);
    const Tensor y = torch::empty({tasks, shape.samples, shape.outputs}, x.options());
    const Tensor shift = bias.value_or(Tensor());
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dense", [&] {
      using Real = scalar_t;
      for_tasks<Real>(tasks, shape, [&](int64_t t, Real* scratch) {
        dense_kernels<Real>().forward(shape, part<Real>(x, t), part<Real>(weight, t),
                                      part<Real>(shift, t), relu, scratch, room<Real>(y, t));
      });
    });
    context->save_for_backward({x, weight, relu ? y : Tensor()});
    context->saved_data["bias"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &y = saved[2];
    const bool wants_x = context->needs_input_grad(0);
    variable_list found =
        DenseGradient::apply(gradients[0].contiguous(), x, weight,
                             y.defined() ? Optional(y.detach()) : std::nullopt, wants_x);
    return {wants_x ? found[2] : Tensor(), found[0],
            context->saved_data["bias"].toBool() ? found[1] : Tensor(), Tensor()};
  }
};

bool covers(const Tensor& x, const Tensor& weight) {
  constexpr int64_t kMost = 512;
  return x.device().is_cpu() && x.dim() == 3 && x.numel() > 0 && weight.numel() > 0 &&
         std::max(weight.size(-1), weight.size(-2)) <= kMost &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
}

}  // namespace

Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
             const std::string& layer, const Forward& forward) {
  const bool fast = forward.kernels == Kernels::fast && covers(x, weight);
  if (forward.paths != nullptr) forward.paths->note(layer, fast ? "fused" : "reference");
  if (!fast) {
    const Tensor y = linear(x, weight, bias);
    return relu ? y.relu() : y;
  }
  const int64_t tasks = x.size(0);
  return Dense::apply(x.contiguous(), for_each_task(weight, 2, tasks),
                      bias.defined() ? Optional(for_each_task(bias, 1, tasks)) : std::nullopt,
                      relu);
}

}  // namespace kshot
