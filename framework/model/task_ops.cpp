#include "framework/model/task_ops.h"

#include "framework/base/error.h"

namespace kshot {
namespace {

/// A per-task parameter has one axis more than a shared one; its size must be T.
bool per_task(const Tensor& param, int64_t shared_rank, int64_t tasks) {
  if (param.dim() == shared_rank) return false;
  TORCH_CHECK(param.dim() == shared_rank + 1 && param.size(0) == tasks, "a parameter of shape ",
              param.sizes(), " serves neither all nor ", tasks, " tasks");
  return true;
}

/// LibTorch's convolution is slow on one to four input channels. Here the patches of each image
/// are laid out as rows [B, h*w, C*k*k] and multiplied by the kernels; the answer is channels-last
/// by nature. The product is batched by image because its backward sums over B*h*w rows: in one
/// matrix product of that length it is six times slower.
Tensor conv2d_by_patches(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                         Extent padding) {
  const int64_t outputs = weight.size(0), batch = x.size(0);
  const auto [rows_around, columns_around] = padding;
  const Tensor padded =
      padding == Extent{0, 0}
          ? x
          : torch::constant_pad_nd(x, {columns_around, columns_around, rows_around, rows_around});
  const Tensor windows =
      padded.unfold(2, weight.size(-2), stride).unfold(3, weight.size(-1), stride);
  const int64_t height = windows.size(2), width = windows.size(3);
  const Tensor rows = windows.permute({0, 2, 3, 1, 4, 5}).reshape({batch, height * width, -1});
  const Tensor kernels = weight.reshape({outputs, -1}).t().unsqueeze(0).expand({batch, -1, -1});
  const Tensor out =
      bias.defined() ? torch::baddbmm(bias, rows, kernels) : torch::bmm(rows, kernels);
  return out.view({batch, height, width, outputs}).permute({0, 3, 1, 2});
}

Tensor conv2d_shared(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv,
                     Extent padding) {
  constexpr int64_t kFewChannels = 4;
  if (x.size(1) <= kFewChannels && conv.groups == 1 && !x.requires_grad()) {
    return conv2d_by_patches(x, weight, bias, conv.stride, padding);
  }
  return torch::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast),
                       weight.contiguous(at::MemoryFormat::ChannelsLast), bias, conv.stride,
                       padding, 1, conv.groups);
}

/// [C] or [T,C] -> something that broadcasts against [T,N,C,...].
Tensor along_channels(const Tensor& value, int64_t rank) {
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[2] = value.size(-1);
  if (value.dim() == 2) shape[0] = value.size(0);
  return value.reshape(shape);
}

/// gamma (x - mean) / sqrt(variance + eps) + beta as one multiply-add over the images.
Tensor normalise(const Tensor& x, const Tensor& mean, const Tensor& variance,
                 const NormParams& params) {
  for (const Tensor& each : {mean, variance, params.gamma, params.beta}) {
    if (each.defined()) per_task(each, 1, x.size(0));
  }
  Tensor scale = torch::rsqrt(variance + params.eps);
  if (params.gamma.defined()) scale = scale * params.gamma;
  Tensor shift = -mean * scale;
  if (params.beta.defined()) shift = shift + params.beta;
  return torch::addcmul(along_channels(shift, x.dim()), x, along_channels(scale, x.dim()));
}

/// One task: LibTorch's own kernel, in place of six passes over memory.
Tensor batch_norm_one_task(const Tensor& x, const NormParams& params, Forward& forward) {
  const int64_t channels = x.size(2), count = x.numel() / channels;
  const auto wanted = x.options().requires_grad(false);
  // squeeze, not [0]: the backward of a selection copies. A number for what is absent: without
  // gamma or beta the kernel's double backward fails.
  const auto one = [&](const Tensor& p, double neutral) {
    if (!p.defined()) return torch::full({channels}, neutral, wanted);
    return per_task(p, 1, 1) ? p.squeeze(0) : p;
  };
  // With momentum 1 the "running" buffers are this batch's statistics.
  const Tensor mean = torch::zeros({channels}, wanted), unbiased = torch::ones({channels}, wanted);
  const Tensor y = std::get<0>(torch::native_batch_norm(
      x.squeeze(0), one(params.gamma, 1), one(params.beta, 0), mean, unbiased,
      /*training=*/true, /*momentum=*/1.0, params.eps));
  if (forward.met != nullptr) {
    const double biased = static_cast<double>(count - 1) / static_cast<double>(count);
    // Of a single value the kernel's unbiased variance is 0 / 0.
    const Tensor variance = count > 1 ? unbiased.mul(biased) : torch::zeros_like(unbiased);
    forward.met->push_back({params.layer, mean.unsqueeze(0), variance.unsqueeze(0), count});
  }
  return y.unsqueeze(0);
}

}  // namespace

Extent pad_image(Tensor& x, Extent kernel, const Conv2d& conv) {
  const auto [height, width] = kernel;
  switch (conv.padding) {
    case Conv2d::Padding::none:
      return {0, 0};
    case Conv2d::Padding::symmetric:
      return {height / 2, width / 2};
    case Conv2d::Padding::same:
      if (conv.stride == 1 && height % 2 == 1 && width % 2 == 1) return {height / 2, width / 2};
      break;
  }
  const auto total = [&](int64_t size, int64_t length) {
    const int64_t out = (size + conv.stride - 1) / conv.stride;
    return std::max<int64_t>(0, (out - 1) * conv.stride + length - size);
  };
  const int64_t rows = total(x.size(-2), height), columns = total(x.size(-1), width);
  x = torch::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
  return {0, 0};
}

int64_t size_after(int64_t size, int64_t kernel, const Conv2d& conv) {
  if (conv.padding == Conv2d::Padding::same) return (size + conv.stride - 1) / conv.stride;
  const int64_t around = conv.padding == Conv2d::Padding::none ? 0 : 2 * (kernel / 2);
  return size + around < kernel ? 0 : (size + around - kernel) / conv.stride + 1;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv) {
  const int64_t tasks = x.size(0), images = x.size(1);
  Tensor flat = x.flatten(0, 1);
  const Extent padding = pad_image(flat, {weight.size(-2), weight.size(-1)}, conv);
  if (!per_task(weight, 4, tasks) || tasks == 1) {
    const Tensor w = weight.dim() == 5 ? weight.squeeze(0) : weight;
    const Tensor b = bias.defined() && bias.dim() == 2 && tasks == 1 ? bias.squeeze(0) : bias;
    const bool task_bias = b.defined() && per_task(b, 1, tasks);
    const Tensor y = conv2d_shared(flat, w, task_bias ? Tensor() : b, conv, padding)
                         .unflatten(0, {tasks, images});
    return task_bias ? y + along_channels(b, 5) : y;
  }
  // One group of channels per task, or as many as the convolution has: [N, T*C, H, W].
  const Tensor grouped = flat.unflatten(0, {tasks, images}).transpose(0, 1).flatten(1, 2);
  const Tensor y = torch::conv2d(grouped, weight.flatten(0, 1), {}, conv.stride, padding, 1,
                                 tasks * conv.groups);
  Tensor split = y.unflatten(1, {tasks, weight.size(1)}).transpose(0, 1);
  if (!bias.defined()) return split;
  per_task(bias, 1, tasks);
  return split + along_channels(bias, 5);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const int64_t tasks = x.size(0);
  const bool own_weight = per_task(weight, 2, tasks);
  Tensor product =
      own_weight ? torch::bmm(x, weight.transpose(1, 2)) : torch::matmul(x, weight.t());
  if (!bias.defined()) return product;
  return product + (per_task(bias, 1, tasks) ? bias.unsqueeze(1) : bias);
}

Tensor max_pool2(const Tensor& x, bool same) {
  return torch::max_pool2d(x.flatten(0, 1), 2, 2, 0, 1, /*ceil_mode=*/same)
      .unflatten(0, {x.size(0), x.size(1)});
}

std::pair<Tensor, Tensor> norm_statistics(const Tensor& x, const NormParams& params,
                                          Forward& forward) {
  if (forward.norm == NormMode::running) return {params.running_mean, params.running_var};
  if (forward.norm == NormMode::given) {
    TORCH_CHECK(forward.given != nullptr, "NormMode::given without statistics");
    for (const LayerStatistics& layer : *forward.given) {
      if (layer.layer == params.layer) return {layer.mean, layer.variance};
    }
    throw Error(Exit::internal, "no statistics were met for layer \"{}\"", params.layer);
  }
  std::vector<int64_t> averaged{1};
  for (int64_t axis = 3; axis < x.dim(); ++axis) averaged.push_back(axis);
  const auto [variance, mean] = torch::var_mean(x, averaged, /*unbiased=*/false, /*keepdim=*/false);
  if (forward.met != nullptr) {
    const bool keep = forward.differentiable_met;
    forward.met->push_back({params.layer, keep ? mean : mean.detach(),
                            keep ? variance : variance.detach(),
                            x.numel() / (x.size(0) * x.size(2))});
  }
  return {mean, variance};
}

Tensor batch_norm(const Tensor& x, const NormParams& params, Forward& forward) {
  if (forward.norm == NormMode::batch && x.size(0) == 1 && !forward.differentiable_met)
    return batch_norm_one_task(x, params, forward);
  const auto [mean, variance] = norm_statistics(x, params, forward);
  return normalise(x, mean, variance, params);
}

Tensor squared_distances(const Tensor& a, const Tensor& b) {
  const Tensor cross = torch::bmm(a, b.transpose(1, 2));
  const Tensor distances = a.square().sum(-1, true) + b.square().sum(-1).unsqueeze(1) - 2 * cross;
  // Rounding may leave a tiny negative value; max(0, .) keeps its gradient everywhere else.
  return distances.clamp_min(0);
}

Tensor cosine_similarities(const Tensor& a, const Tensor& b) {
  const auto unit = [](const Tensor& x) { return x / x.norm(2, -1, true).clamp_min(1e-8); };
  return torch::bmm(unit(a), unit(b).transpose(1, 2));
}

ParamList running_buffers(const NormStatistics& met) {
  ParamList buffers;
  for (const LayerStatistics& layer : met) {
    const double unbiased = static_cast<double>(layer.count) /
                            static_cast<double>(std::max<int64_t>(1, layer.count - 1));
    buffers.add({layer.layer + ".running_mean", layer.mean.detach(), Role::buffer});
    buffers.add({layer.layer + ".running_var", layer.variance.detach() * unbiased, Role::buffer});
  }
  return buffers;
}

}  // namespace kshot
