#include "framework/model/norm_pool_passes.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "framework/model/norm_pool_second_kernels.h"

namespace kshot {
namespace {

/// About how many rows one thread sums at a time. Fixed, so that no sum depends on the number of
/// threads.
constexpr int64_t kChunkRows = 4096;

Tensor empty_output(const TaskImages& images, const Tensor& like, torch::Dtype dtype) {
  const ImageStack& task = images.task;
  return torch::empty(
      {images.tasks * task.images, task.channels, task.out_height(), task.out_width()},
      like.options().dtype(dtype), at::MemoryFormat::ChannelsLast);
}

/// Mean and sum of squared deviations of `rows` rows, per channel: of chunks side by side, joined
/// in their order.
template <typename Real>
void moments_of_rows(const Real* data, int64_t rows, int64_t channels, std::vector<double>& mean,
                     std::vector<double>& squares) {
  const int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  const auto width = static_cast<size_t>(channels), count = static_cast<size_t>(chunks);
  const auto rows_of = [&](int64_t i) { return std::min(kChunkRows, rows - i * kChunkRows); };
  std::vector<double> means(count * width), sums(count * width);
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      norm_pool_kernels<Real>().moments(data + i * kChunkRows * channels, rows_of(i), channels,
                                        &means[static_cast<size_t>(i) * width],
                                        &sums[static_cast<size_t>(i) * width]);
    }
  });
  mean.assign(width, 0);
  squares.assign(width, 0);
  for (int64_t i = 0; i < chunks; ++i) {
    const auto before = static_cast<double>(i * kChunkRows), n = static_cast<double>(rows_of(i));
    for (size_t c = 0; c < width; ++c) {
      const size_t part = static_cast<size_t>(i) * width + c;
      const double delta = means[part] - mean[c];
      mean[c] += delta * n / (n + before);
      squares[c] += sums[part] + delta * delta * n * before / (n + before);
    }
  }
}

template <typename Real>
Moments moments_as(const Tensor& u, const TaskImages& images) {
  const int64_t channels = images.task.channels, rows = images.rows();
  Tensor mean = torch::empty({images.tasks, channels}, u.options());
  Tensor variance = torch::empty_like(mean);
  std::vector<double> centre, squares;
  for (int64_t t = 0; t < images.tasks; ++t) {
    moments_of_rows(u.const_data_ptr<Real>() + t * rows * channels, rows, channels, centre,
                    squares);
    for (int64_t c = 0; c < channels; ++c) {
      const auto i = static_cast<size_t>(c);
      mean.data_ptr<Real>()[t * channels + c] = static_cast<Real>(centre[i]);
      variance.data_ptr<Real>()[t * channels + c] =
          static_cast<Real>(squares[i] / static_cast<double>(rows));
    }
  }
  return {mean, variance};
}

template <typename Real>
void forward_as(const Tensor& u, const TaskImages& images, const Tensor& scales,
                const Tensor& shifts, double slope, Passed& passed) {
  const auto kernels = norm_pool_kernels<Real>();
  const bool keep = passed.choice.defined();
  const int64_t in_size = images.task.images * images.task.size(),
                out_size = images.task.images * images.task.out_size();
  for (int64_t t = 0; t < images.tasks; ++t) {
    const int64_t channel = t * images.task.channels;
    for_images(images.task, [&](const ImageStack& part, int64_t in, int64_t out) {
      out += t * out_size;
      kernels.forward(part, u.const_data_ptr<Real>() + t * in_size + in,
                      scales.const_data_ptr<Real>() + channel,
                      shifts.const_data_ptr<Real>() + channel, static_cast<Real>(slope),
                      passed.y.data_ptr<Real>() + out,
                      keep ? passed.choice.data_ptr<Choice>() + out : nullptr);
    });
  }
}

/// `width` sums over the images of one task: sum(part, first, to) adds up the images from `first`
/// on. Of chunks of images side by side, joined in their order.
template <typename Sum>
std::vector<double> sum_images(const ImageStack& task, int64_t width, const Sum& sum) {
  const int64_t chunk = std::max<int64_t>(1, kChunkRows / (task.height * task.width)),
                chunks = (task.images + chunk - 1) / chunk;
  const auto count = static_cast<size_t>(width);
  std::vector<double> parts(static_cast<size_t>(chunks) * count), sums(count);
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ImageStack part = task;
      part.images = std::min(chunk, task.images - i * chunk);
      sum(part, i * chunk, &parts[static_cast<size_t>(i) * count]);
    }
  });
  for (size_t i = 0; i < parts.size(); ++i) sums[i % count] += parts[i];
  return sums;
}

/// Per channel, over the images of one task: the sums of gz and of gz (chosen - mean), one after
/// the other.
template <typename Real>
std::vector<double> first_sums(const ImageStack& task, const Real* gy, const Choice* choice,
                               const Real* u, const Real* mean, Real slope) {
  const auto kernels = norm_pool_kernels<Real>();
  return sum_images(
      task, 2 * task.channels, [&](const ImageStack& part, int64_t first, double* to) {
        const int64_t out = first * task.out_size(), size = part.images * task.out_size();
        // Gathered anew: kept from the forward pass it would be a quarter of u all the while.
        std::unique_ptr<Real[]> gathered;
        const Real* chosen = u + first * task.size();
        if (task.pool) {
          gathered = std::make_unique_for_overwrite<Real[]>(static_cast<size_t>(size));
          kernels.gather(part, chosen, choice + out, gathered.get());
          chosen = gathered.get();
        }
        kernels.sums(gy + out, chosen, choice + out, size / task.channels, task.channels, mean,
                     slope, to, to + task.channels);
      });
}

/// Per channel, over the images of one task: the sums of a, of a (u - mean) and of a gz, one after
/// the other.
template <typename Real>
std::vector<double> second_sums(const ImageStack& task, const SecondInputs<Real>& from) {
  return sum_images(task, 3 * task.channels,
                    [&](const ImageStack& part, int64_t first, double* to) {
                      SecondInputs<Real> here = from;
                      here.u += first * task.size();
                      here.a += first * task.size();
                      here.gy += first * task.out_size();
                      here.choice += first * task.out_size();
                      norm_pool_second_kernels<Real>().sums(part, here, to, to + task.channels,
                                                            to + 2 * task.channels);
                    });
}

/// With h = (u - mean) inv: gu = gamma inv (gz - mean(gz) - h mean(gz h)).
template <typename Real>
NormGradients backward_as(const Tensor& gy, const Tensor& choice, const Tensor& u,
                          const TaskImages& images, const Tensor& mean, const Tensor& inv,
                          const Tensor& gamma, double slope) {
  const auto kernels = norm_pool_kernels<Real>();
  const int64_t channels = images.task.channels, out_rows = images.out_rows(),
                in_size = images.rows() * channels, out_size = out_rows * channels;
  const auto rows = static_cast<double>(images.rows());
  NormGradients result{
      .u = torch::empty_like(u), .gamma = torch::empty_like(mean), .beta = torch::empty_like(mean)};
  const Tensor gammas =
      gamma.defined() ? gamma.detach().expand({images.tasks, -1}).contiguous() : Tensor();
  std::vector<Real> a(static_cast<size_t>(channels)), b(a.size()), c(a.size());
  for (int64_t t = 0; t < images.tasks; ++t) {
    const Real* task_gy = gy.const_data_ptr<Real>() + t * out_size;
    const Choice* task_choice = choice.const_data_ptr<Choice>() + t * out_size;
    const Real* task_u = u.const_data_ptr<Real>() + t * in_size;
    const Real* task_mean = mean.const_data_ptr<Real>() + t * channels;
    const std::vector<double> sums =
        first_sums(images.task, task_gy, task_choice, task_u, task_mean, static_cast<Real>(slope));
    const double *gz = sums.data(), *gz_u = gz + channels;
    for (int64_t i = 0; i < channels; ++i) {
      const auto k = static_cast<size_t>(i);
      const auto invs = static_cast<double>(inv.const_data_ptr<Real>()[t * channels + i]);
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
    for_images(images.task, [&](const ImageStack& part, int64_t in, int64_t out) {
      kernels.backward(part, task_gy + out, task_choice + out, task_u + in, task_mean, a.data(),
                       b.data(), c.data(), static_cast<Real>(slope),
                       result.u.data_ptr<Real>() + t * in_size + in);
    });
  }
  return result;
}

/// Factors per channel of one task, in the order of SecondFactors.
template <typename Real>
class Factors {
 public:
  explicit Factors(int64_t channels)
      : channels_(static_cast<size_t>(channels)), values_(7 * channels_) {}

  void set(int64_t channel, const std::array<double, 7>& factors) {
    for (size_t k = 0; k < 7; ++k)
      values_[k * channels_ + static_cast<size_t>(channel)] = static_cast<Real>(factors[k]);
  }
  SecondFactors<Real> get() const {
    const Real* const v = values_.data();
    return {v,
            v + channels_,
            v + 2 * channels_,
            v + 3 * channels_,
            v + 4 * channels_,
            v + 5 * channels_,
            v + 6 * channels_};
  }

 private:
  size_t channels_;
  std::vector<Real> values_;
};

/// With M pixels a channel, h = (u - mean) inv, m1 = mean(gz), m2 = mean(gz h), mA = mean(a), mh =
/// mean(a h), for the gradient gu = gamma inv (gz - m1 - h m2) of pass_backward:
///   gy     <- gamma inv (a - mA - h mh) + q h + b, at the chosen pixel
///   gamma  <- d = inv (sum(a gz) - M mA m1 - M mh m2)
///   u      <- -inv h gamma d / M
///             - gamma inv^2 (mh (gz - m1 - h m2) + m2 (a - mA - h mh)) + q inv (gz - m1 - h m2)
template <typename Real>
NormSecond second_as(const NormCotangents& of, const Tensor& gy, const Tensor& choice,
                     const Tensor& u, const TaskImages& images, const Tensor& mean,
                     const Tensor& inv, const Tensor& gamma, const NormGradients& first,
                     double slope) {
  const int64_t channels = images.task.channels;
  const auto M = static_cast<double>(images.rows());
  NormSecond result{
      .gy = torch::empty_like(gy), .u = torch::empty_like(u), .gamma = torch::empty_like(mean)};
  const auto at = [channels](const Tensor& values, int64_t t, int64_t c) {
    return static_cast<double>(values.const_data_ptr<Real>()[t * channels + c]);
  };
  Factors<Real> factors(channels);
  for (int64_t t = 0; t < images.tasks; ++t) {
    const int64_t in = t * images.rows() * channels, out = t * images.out_rows() * channels;
    const SecondInputs<Real> from{.u = u.const_data_ptr<Real>() + in,
                                  .mean = mean.const_data_ptr<Real>() + t * channels,
                                  .a = of.u.const_data_ptr<Real>() + in,
                                  .gy = gy.const_data_ptr<Real>() + out,
                                  .choice = choice.const_data_ptr<Choice>() + out,
                                  .slope = static_cast<Real>(slope)};
    const std::vector<double> sums = second_sums(images.task, from);
    for (int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<size_t>(c), width = static_cast<size_t>(channels);
      const double i = at(inv, t, c), g = gamma.defined() ? at(gamma, t, c) : 1,
                   q = at(of.gamma, t, c), b = at(of.beta, t, c);
      const double m1 = at(first.beta, t, c) / M, m2 = at(first.gamma, t, c) / M;
      const double mA = sums[k] / M, mh = i * sums[width + k] / M;
      const double d = i * (sums[2 * width + k] - M * mA * m1 - M * mh * m2);
      const double of_h = -i * g * d / M + 2 * g * i * i * mh * m2 - q * i * m2;
      factors.set(c, {g * i, (q - g * i * mh) * i, b - g * i * mA, -g * i * i * m2, of_h * i,
                      q * i - g * i * i * mh, g * i * i * (mh * m1 + m2 * mA) - q * i * m1});
      result.gamma.data_ptr<Real>()[t * channels + c] = static_cast<Real>(d);
    }
    for_images(images.task, [&](const ImageStack& part, int64_t image, int64_t output) {
      SecondInputs<Real> here = from;
      here.u += image;
      here.a += image;
      here.gy += output;
      here.choice += output;
      norm_pool_second_kernels<Real>().map(part, here, factors.get(),
                                           result.gy.data_ptr<Real>() + out + output,
                                           result.u.data_ptr<Real>() + in + image);
    });
  }
  return result;
}

}  // namespace

TaskImages::TaskImages(const Tensor& u, int64_t task_count, bool pool)
    : tasks(task_count),
      task{.images = u.size(0) / task_count,
           .height = u.size(2),
           .width = u.size(3),
           .channels = u.size(1),
           .pool = pool} {}

Moments moments_of(const Tensor& u, const TaskImages& images) {
  return AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "moments_of",
                                    [&] { return moments_as<scalar_t>(u, images); });
}

Passed pass_forward(const Tensor& u, const TaskImages& images, const Tensor& scale,
                    const Tensor& shift, double slope, bool keep) {
  Passed passed{.y = empty_output(images, u, u.scalar_type())};
  if (keep) {
    passed.choice = empty_output(images, u, torch::kByte);
  }
  const Tensor scales = scale.expand({images.tasks, -1}).contiguous();
  const Tensor shifts = shift.expand({images.tasks, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "pass_forward", [&] {
    forward_as<scalar_t>(u, images, scales, shifts, slope, passed);
  });
  return passed;
}

NormGradients pass_backward(const Tensor& gy, const Tensor& choice, const Tensor& u,
                            const TaskImages& images, const Tensor& mean, const Tensor& inv,
                            const Tensor& gamma, double slope) {
  return AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "pass_backward", [&] {
    return backward_as<scalar_t>(gy, choice, u, images, mean, inv, gamma, slope);
  });
}

NormSecond pass_second(const NormCotangents& of, const Tensor& gy, const Tensor& choice,
                       const Tensor& u, const TaskImages& images, const Tensor& mean,
                       const Tensor& inv, const Tensor& gamma, const NormGradients& first,
                       double slope) {
  return AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "pass_second", [&] {
    return second_as<scalar_t>(of, gy, choice, u, images, mean, inv, gamma, first, slope);
  });
}

}  // namespace kshot
