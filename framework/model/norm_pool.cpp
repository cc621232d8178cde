#include "framework/model/norm_pool.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <tuple>

#include "framework/model/norm_pool_kernels.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows that one thread sums at a time. Fixed, so that no sum depends on the number of threads.
constexpr int64_t kChunkRows = 4096;

int64_t chunks_of(int64_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

/// u [T*N,C,H,W], channels-last, seen task by task.
struct Layout {
  int64_t tasks = 0;
  ImageStack task;  ///< the images of one task

  Layout(const Tensor& u, int64_t task_count, bool pool)
      : tasks(task_count),
        task{.images = u.size(0) / task_count,
             .height = u.size(2),
             .width = u.size(3),
             .channels = u.size(1),
             .pool = pool} {}

  int64_t rows() const { return task.images * task.height * task.width; }
  int64_t out_rows() const { return task.images * task.out_height() * task.out_width(); }
  Tensor empty_output(const Tensor& like, torch::Dtype dtype) const {
    return torch::empty({tasks * task.images, task.channels, task.out_height(), task.out_width()},
                        like.options().dtype(dtype), at::MemoryFormat::ChannelsLast);
  }
};

/// Calls work(stack, first input element, first output element) for portions of the images, side
/// by side: images do not touch each other in a map.
template <typename Work>
void for_images(const ImageStack& stack, const Work& work) {
  const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, stack.size()));
  at::parallel_for(0, stack.images, grain, [&](int64_t first, int64_t last) {
    ImageStack part = stack;
    part.images = last - first;
    work(part, first * stack.size(), first * stack.out_size());
  });
}

/// Two sums per channel over `rows`, of chunks side by side, joined in the chunks' order by
/// join(rows before, rows of the chunk, chunk's first, chunk's second, first, second).
template <typename Chunk, typename Join>
void sum_rows(int64_t rows, int64_t channels, const Chunk& chunk, const Join& join,
              std::vector<double>& first, std::vector<double>& second) {
  const auto width = static_cast<size_t>(channels), count = static_cast<size_t>(chunks_of(rows));
  std::vector<double> firsts(count * width), seconds(count * width);
  at::parallel_for(0, chunks_of(rows), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * kChunkRows;
      chunk(at, std::min(kChunkRows, rows - at), &firsts[static_cast<size_t>(i) * width],
            &seconds[static_cast<size_t>(i) * width]);
    }
  });
  first.assign(width, 0);
  second.assign(width, 0);
  for (size_t i = 0; i < count; ++i) {
    const int64_t before = static_cast<int64_t>(i) * kChunkRows;
    const auto n = static_cast<double>(std::min(kChunkRows, rows - before));
    for (size_t c = 0; c < width; ++c) {
      join(static_cast<double>(before), n, firsts[i * width + c], seconds[i * width + c], first[c],
           second[c]);
    }
  }
}

/// Mean and biased variance [T,C] of each task's images.
template <typename Real>
std::pair<Tensor, Tensor> moments_of(const Tensor& u, const Layout& layout) {
  const auto kernels = norm_pool_kernels<Real>();
  const int64_t channels = layout.task.channels, rows = layout.rows();
  Tensor mean = torch::empty({layout.tasks, channels}, u.options());
  Tensor variance = torch::empty_like(mean);
  std::vector<double> centre, squares;
  for (int64_t t = 0; t < layout.tasks; ++t) {
    const Real* data = u.const_data_ptr<Real>() + t * rows * channels;
    sum_rows(
        rows, channels,
        [&](int64_t at, int64_t count, double* chunk_mean, double* chunk_squares) {
          kernels.moments(data + at * channels, count, channels, chunk_mean, chunk_squares);
        },
        [](double before, double n, double chunk_mean, double chunk_squares, double& all_mean,
           double& all_squares) {
          const double delta = chunk_mean - all_mean;
          all_mean += delta * n / (n + before);
          all_squares += chunk_squares + delta * delta * n * before / (n + before);
        },
        centre, squares);
    for (int64_t c = 0; c < channels; ++c) {
      const auto i = static_cast<size_t>(c);
      mean.data_ptr<Real>()[t * channels + c] = static_cast<Real>(centre[i]);
      variance.data_ptr<Real>()[t * channels + c] =
          static_cast<Real>(squares[i] / static_cast<double>(rows));
    }
  }
  return {mean, variance};
}

/// What the forward pass leaves for the backward pass, besides its inputs.
struct Passed {
  Tensor y;
  Tensor chosen = {}, choice = {};  ///< undefined where no gradient will be asked for
};

template <typename Real>
void map_as(const Tensor& u, const Layout& layout, const Tensor& scales, const Tensor& shifts,
            double slope, Passed& passed) {
  const auto kernels = norm_pool_kernels<Real>();
  const bool keep = passed.chosen.defined();
  const int64_t in_size = layout.task.images * layout.task.size(),
                out_size = layout.task.images * layout.task.out_size();
  for (int64_t t = 0; t < layout.tasks; ++t) {
    const int64_t channel = t * layout.task.channels;
    for_images(layout.task, [&](const ImageStack& part, int64_t in, int64_t out) {
      out += t * out_size;
      kernels.forward(part, u.const_data_ptr<Real>() + t * in_size + in,
                      scales.const_data_ptr<Real>() + channel,
                      shifts.const_data_ptr<Real>() + channel, static_cast<Real>(slope),
                      passed.y.data_ptr<Real>() + out,
                      keep ? passed.chosen.data_ptr<Real>() + out : nullptr,
                      keep ? passed.choice.data_ptr<Choice>() + out : nullptr);
    });
  }
}

/// The map with given statistics. scale, shift: [C] or [T,C].
Passed map_windows(const Tensor& u, const Layout& layout, const Tensor& scale, const Tensor& shift,
                   double slope, bool keep) {
  Passed passed{.y = layout.empty_output(u, u.scalar_type())};
  if (keep) {
    passed.chosen = layout.empty_output(u, u.scalar_type());
    passed.choice = layout.empty_output(u, torch::kByte);
  }
  const Tensor scales = scale.expand({layout.tasks, -1}).contiguous();
  const Tensor shifts = shift.expand({layout.tasks, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "map_windows",
                             [&] { map_as<scalar_t>(u, layout, scales, shifts, slope, passed); });
  return passed;
}

/// scale = gamma / sqrt(variance + eps), shift = beta - mean scale: [C] or [T,C].
std::pair<Tensor, Tensor> scale_and_shift(const Tensor& mean, const Tensor& variance,
                                          const Tensor& gamma, const Tensor& beta, double eps) {
  Tensor scale = torch::rsqrt(variance + eps);
  if (gamma.defined()) scale = scale * gamma;
  Tensor shift = -mean * scale;
  if (beta.defined()) shift = shift + beta;
  return {scale, shift};
}

struct Gradients {
  Tensor u, gamma, beta;  ///< of gamma and beta: [T,C]
};

/// The gradient of batch norm by batch statistics (Ioffe & Szegedy 2015), with h = (u - mean) inv:
/// gu = gamma inv (gz - mean(gz) - h mean(gz h)).
template <typename Real>
Gradients gradients_of(const Tensor& gy, const Tensor& u, const Tensor& chosen,
                       const Tensor& choice, const Tensor& mean, const Tensor& inv,
                       const Tensor& gamma, const Layout& layout, double slope) {
  const auto kernels = norm_pool_kernels<Real>();
  const int64_t channels = layout.task.channels, out_rows = layout.out_rows(),
                in_size = layout.rows() * channels, out_size = out_rows * channels;
  const auto rows = static_cast<double>(layout.rows());
  Gradients result{
      .u = torch::empty_like(u), .gamma = torch::empty_like(mean), .beta = torch::empty_like(mean)};
  const Tensor gammas =
      gamma.defined() ? gamma.detach().expand({layout.tasks, -1}).contiguous() : Tensor();
  std::vector<double> gz, gz_u;
  std::vector<Real> a(static_cast<size_t>(channels)), b(a.size()), c(a.size());
  for (int64_t t = 0; t < layout.tasks; ++t) {
    const Real* task_gy = gy.const_data_ptr<Real>() + t * out_size;
    const Choice* task_choice = choice.const_data_ptr<Choice>() + t * out_size;
    const Real* task_mean = mean.const_data_ptr<Real>() + t * channels;
    sum_rows(
        out_rows, channels,
        [&](int64_t at, int64_t count, double* sum, double* product) {
          const int64_t from = at * channels;
          kernels.sums(task_gy + from, chosen.const_data_ptr<Real>() + t * out_size + from,
                       task_choice + from, count, channels, task_mean, static_cast<Real>(slope),
                       sum, product);
        },
        [](double, double, double sum, double product, double& all_sum, double& all_products) {
          all_sum += sum;
          all_products += product;
        },
        gz, gz_u);
    for (int64_t i = 0; i < channels; ++i) {
      const auto k = static_cast<size_t>(i);
      const double invs = static_cast<double>(inv.const_data_ptr<Real>()[t * channels + i]);
      const double gain =
          gammas.defined()
              ? static_cast<double>(gammas.const_data_ptr<Real>()[t * channels + i]) * invs
              : invs;
      result.beta.data_ptr<Real>()[t * channels + i] = static_cast<Real>(gz[k]);
      result.gamma.data_ptr<Real>()[t * channels + i] = static_cast<Real>(gz_u[k] * invs);
      a[k] = static_cast<Real>(gain);
      b[k] = static_cast<Real>(-gain * invs * invs * gz_u[k] / rows);
      c[k] = static_cast<Real>(-gain * gz[k] / rows);
    }
    for_images(layout.task, [&](const ImageStack& part, int64_t in, int64_t out) {
      kernels.backward(part, task_gy + out, task_choice + out,
                       u.const_data_ptr<Real>() + t * in_size + in, task_mean, a.data(), b.data(),
                       c.data(), static_cast<Real>(slope),
                       result.u.data_ptr<Real>() + t * in_size + in);
    });
  }
  return result;
}

/// [T,C] as the parameter was given: its own, or summed over the tasks that shared it.
Tensor shaped_like(const Tensor& gradient, const Tensor& param) {
  if (!param.defined()) return {};
  return param.dim() == 2 ? gradient : gradient.sum(0);
}

/// Batch statistics. u: [T*N,C,H,W], channels-last. Answers y, mean (of u plus the bias that was
/// left out) and variance.
class BatchNormPool : public torch::autograd::Function<BatchNormPool> {
 public:
  using Optional = std::optional<Tensor>;  // apply() takes no undefined tensors

  static variable_list forward(AutogradContext* context, const Tensor& u,
                               const Optional& given_gamma, const Optional& given_beta,
                               const Optional& given_bias, int64_t tasks, double eps, bool pool,
                               double slope, bool keep) {
    const Tensor gamma = given_gamma.value_or(Tensor()), beta = given_beta.value_or(Tensor()),
                 bias = given_bias.value_or(Tensor());
    const Layout layout(u, tasks, pool);
    Tensor mean, variance;
    AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "moments_of",
                               [&] { std::tie(mean, variance) = moments_of<scalar_t>(u, layout); });
    const auto [scale, shift] = scale_and_shift(mean, variance, gamma, beta, eps);
    const Passed passed = map_windows(u, layout, scale, shift, slope, keep);
    context->save_for_backward(
        {u, gamma, beta, passed.chosen, passed.choice, mean, torch::rsqrt(variance + eps), bias});
    context->saved_data["tasks"] = tasks;
    context->saved_data["eps"] = eps;
    context->saved_data["pool"] = pool;
    context->saved_data["slope"] = slope;
    const Tensor met = bias.defined() ? mean + bias : mean;
    context->mark_non_differentiable({met, variance});
    return {passed.y, met, variance};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list result(kInputs);
    const Tensor& gy = gradients[0];
    if (!gy.defined()) return result;
    const variable_list saved = context->get_saved_variables();
    if (saved[7].defined()) result[3] = torch::zeros_like(saved[7]);
    const Tensor &u = saved[0], &gamma = saved[1], &beta = saved[2];
    const int64_t tasks = context->saved_data["tasks"].toInt();
    const PoolAndActivation then{.pool = context->saved_data["pool"].toBool(),
                                 .slope = context->saved_data["slope"].toDouble()};
    if (torch::GradMode::is_enabled()) {  // this pass is itself to be differentiated
      add_differentiable(result, gy, {u, gamma, beta}, tasks, context->saved_data["eps"].toDouble(),
                         then);
      return result;
    }
    const Tensor dense = gy.contiguous(at::MemoryFormat::ChannelsLast);
    const Layout layout(u, tasks, then.pool);
    Gradients found;
    AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "gradients_of", [&] {
      found = gradients_of<scalar_t>(dense, u, saved[3], saved[4], saved[5], saved[6], gamma,
                                     layout, then.slope);
    });
    result[0] = found.u;
    result[1] = shaped_like(found.gamma, gamma);
    result[2] = shaped_like(found.beta, beta);
    return result;
  }

 private:
  static constexpr size_t kInputs = 9;

  /// Gradients of u, gamma and beta that are part of the graph themselves.
  static void add_differentiable(variable_list& result, const Tensor& gy,
                                 const variable_list& inputs, int64_t tasks, double eps,
                                 const PoolAndActivation& then) {
    variable_list wanted;
    std::vector<size_t> places;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined() || !inputs[i].requires_grad()) continue;
      wanted.push_back(inputs[i]);
      places.push_back(i);
    }
    const Tensor& u = inputs[0];
    NormParams params;
    params.gamma = inputs[1];
    params.beta = inputs[2];
    params.eps = eps;
    Forward forward{.norm = NormMode::batch};
    const Tensor y =
        norm_pool_plain(u.unflatten(0, {tasks, u.size(0) / tasks}), params, then, forward);
    const variable_list found =
        torch::autograd::grad({y}, wanted, {gy.view_as(y)}, /*retain_graph=*/true,
                              /*create_graph=*/true, /*allow_unused=*/true);
    for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  }
};

BatchNormPool::Optional if_defined(const Tensor& tensor) {
  return tensor.defined() ? BatchNormPool::Optional(tensor) : std::nullopt;
}

bool wants_gradient(const Tensor& tensor) {
  return torch::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

bool wants_gradient(const Tensor& u, const NormParams& params) {
  return wants_gradient(u) || wants_gradient(params.gamma) || wants_gradient(params.beta);
}

/// The statistics that a fixed mode normalises by; undefined where `given` has none for the layer.
std::pair<Tensor, Tensor> fixed_statistics(const NormParams& params, const Forward& forward) {
  if (forward.norm == NormMode::running) return {params.running_mean, params.running_var};
  if (forward.given == nullptr) return {};
  for (const LayerStatistics& layer : *forward.given) {
    if (layer.layer == params.layer) return {layer.mean, layer.variance};
  }
  return {};
}

}  // namespace

bool norm_pool_covers(const Tensor& u, const NormParams& params, const Forward& forward) {
  if (!u.device().is_cpu() || u.dim() != 5 || u.numel() == 0) return false;
  if (u.scalar_type() != torch::kFloat && u.scalar_type() != torch::kDouble) return false;
  if (forward.norm == NormMode::batch) return !forward.differentiable_met;
  const auto [mean, variance] = fixed_statistics(params, forward);
  return mean.defined() && !wants_gradient(u, params) && !wants_gradient(mean) &&
         !wants_gradient(variance);
}

Tensor norm_pool(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                 Forward& forward, const Tensor& left_out) {
  const int64_t tasks = u.size(0), images = u.size(1);
  // Made channels-last out here: a copy inside the function would lose its link to the graph.
  const Tensor flat = u.flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
  if (forward.norm == NormMode::batch) {
    const variable_list found = BatchNormPool::apply(
        flat, if_defined(params.gamma), if_defined(params.beta), if_defined(left_out), tasks,
        params.eps, then.pool, then.slope, wants_gradient(u, params));
    if (forward.met != nullptr) {
      forward.met->push_back({params.layer, found[1], found[2], images * u.size(3) * u.size(4)});
    }
    return found[0].unflatten(0, {tasks, images});
  }
  const auto [mean, variance] = fixed_statistics(params, forward);
  const auto [scale, shift] =
      scale_and_shift(mean, variance, params.gamma, params.beta, params.eps);
  const Layout layout(flat, tasks, then.pool);
  return map_windows(flat, layout, scale, shift, then.slope, /*keep=*/false)
      .y.unflatten(0, {tasks, images});
}

Tensor norm_pool_plain(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                       Forward& forward) {
  Tensor y = batch_norm(u, params, forward);
  if (then.pool) y = max_pool2(y);
  if (then.slope == 1) return y;
  return then.slope == 0 ? torch::relu(y) : torch::leaky_relu(y, then.slope);
}

}  // namespace kshot
