#include "framework/model/fast_conv.h"

#include <ATen/Parallel.h>

#include <thread>

#include "framework/model/patch_kernels.h"
#include "framework/model/winograd_kernels.h"
#include "tests/doctest_torch.h"
#include "tests/model/instruction_sets.h"
#include "tests/model/numbers.h"

namespace kshot::fast_conv_test {

using test::Derivatives;
using test::derivatives;
using test::difference;
using test::numbers;

constexpr double kSame = 1e-10;

struct Call {
  std::string name;
  std::vector<Tensor> inputs;  ///< x, weight and perhaps bias
  Conv2d how = {};
};

/// Odd and even sizes, shared parameters and each task's own, with and without bias.
std::vector<Call> all_calls(int64_t inputs, const std::vector<Conv2d>& ways, int64_t fewest = 2,
                            int64_t kernel = 3) {
  std::vector<Call> calls;
  uint64_t index = 0;
  for (const auto& size : std::vector<std::vector<int64_t>>{{4, 6}, {5, 3}, {3, 7}}) {
    for (const Conv2d& how : ways) {
      for (const int64_t tasks : {1, 3}) {
        const bool own = ++index % 2 == 0, bias = index % 3 == 0;
        const int64_t outputs = own ? fewest + 3 : fewest;
        std::vector<int64_t> weight{outputs, inputs, kernel, kernel}, shift{outputs};
        if (own) weight.insert(weight.begin(), tasks);
        if (own) shift.insert(shift.begin(), tasks);
        Call call{fmt::format("{}x{}, {} tasks, own {}, bias {}, stride {}", size[0], size[1],
                              tasks, own, bias, how.stride),
                  {numbers({tasks, 2, inputs, size[0], size[1]}, 1), numbers(weight, 2)},
                  how};
        if (bias) call.inputs.push_back(numbers(shift, 3));
        calls.push_back(call);
      }
    }
  }
  return calls;
}

Tensor bias_of(const std::vector<Tensor>& in, size_t i) { return in.size() > i ? in[i] : Tensor(); }

void check_same(const Derivatives& fast, const Derivatives& plain) {
  CHECK(difference(fast.values, plain.values) <= kSame);
  for (size_t i = 0; i < plain.first.size(); ++i) {
    CAPTURE(i);
    const auto size = [](const Tensor& t) { return 1 + t.abs().max().item<double>(); };
    CHECK(difference(fast.first[i], plain.first[i]) <= kSame * size(plain.first[i]));
    CHECK(difference(fast.second[i], plain.second[i]) <= kSame * size(plain.second[i]));
    CHECK(plain.second[i].abs().max().item<double>() > 1e-3);
  }
}

void check_to_the_second_derivative(const Call& call, ConvPath path) {
  CAPTURE(call.name);
  CHECK(fast_conv_path(call.inputs[0], call.inputs[1], call.how) == path);
  const auto by = [&](auto convolve) {
    return derivatives(
        [&](const auto& in) { return convolve(in[0], in[1], bias_of(in, 2), call.how); },
        call.inputs);
  };
  check_same(by(fast_conv), by(conv2d));
}

TEST_CASE("a convolution by Winograd's filtering equals the plain one, to the second derivative") {
  for (const Call& call : all_calls(16, {Conv2d{}, {1, Conv2d::Padding::same}}, 16))
    check_to_the_second_derivative(call, ConvPath::winograd);
}

TEST_CASE(
    "a convolution by LibTorch's kernels, whatever its size, stride and padding, equals the plain "
    "one, to the second derivative") {
  using Padding = Conv2d::Padding;
  const std::vector<Conv2d> ways{
      {}, {2, Padding::symmetric}, {1, Padding::none}, {2, Padding::none}, {2, Padding::same}};
  for (const int64_t kernel : {1, 3}) {
    CAPTURE(kernel);
    for (const Call& call : all_calls(6, ways, 2, kernel))
      check_to_the_second_derivative(call, ConvPath::library);
  }
}

TEST_CASE("a convolution of few channels equals the plain one, to the second derivative") {
  using Padding = Conv2d::Padding;
  const std::vector<Conv2d> ways{
      {}, {2, Padding::symmetric}, {1, Padding::none}, {2, Padding::none}, {2, Padding::same}};
  for (const int64_t channels : {1, 3}) {
    for (const Call& call : all_calls(channels, ways)) {
      CAPTURE(call.name);
      CAPTURE(channels);
      const std::vector<Tensor> params(call.inputs.begin() + 1, call.inputs.end());
      const auto by = [&](auto convolve) {
        return derivatives(
            [&](const auto& in) {
              return convolve(call.inputs[0], in[0], bias_of(in, 1), call.how);
            },
            params);
      };
      check_same(by(fast_conv), by(conv2d));
    }
  }
}

TEST_CASE("third derivatives go through as well") {
  for (const int64_t channels : {1, 6, 16}) {
    const std::vector<Tensor> params{numbers({channels, channels, 3, 3}, 2)};
    const Tensor x = numbers({1, 2, channels, 4, 4}, 1);
    const Conv2d how{.stride = channels == 6 ? 2 : 1};
    const auto third = [&](auto convolve) {
      return derivatives(
          [&](const auto& in) {
            const Tensor y = convolve(x, in[0], Tensor(), how);
            return test::gradients(y.pow(3).sum(), {in[0]}, true)[0];
          },
          params);
    };
    check_same(third(fast_conv), third(conv2d));
  }
}

double relative(const Tensor& a, const Tensor& b) {
  return ((a.to(torch::kDouble) - b).norm() / b.norm()).item<double>();
}

TEST_CASE("in float32 it is as near to float64 as the plain convolution, within a factor of 3") {
  for (const int64_t channels : {16, 37, 64}) {
    CAPTURE(channels);
    const std::vector<Tensor> exact{numbers({1, 40, channels, 14, 14}, 1),
                                    numbers({channels, channels, 3, 3}, 2)};
    const Tensor direction = numbers(exact[0].sizes().vec(), 3);
    const auto all = [&](const std::vector<Tensor>& at, bool fast) {
      const std::vector<Tensor> in = test::leaves(at);
      const Tensor y =
          fast ? fast_conv(in[0], in[1], {}, {}) : conv2d(in[0], in[1], Tensor(), Conv2d{});
      auto found = test::gradients((y * direction.to(y.scalar_type())).sum(), in, false);
      found.push_back(y.detach());
      return found;
    };
    const std::vector<Tensor> single{exact[0].to(torch::kFloat), exact[1].to(torch::kFloat)};
    const auto truth = all(exact, false), fast = all(single, true), plain = all(single, false);
    for (size_t i = 0; i < truth.size(); ++i) {
      CAPTURE(i);
      CHECK(relative(fast[i], truth[i]) <= 3 * relative(plain[i], truth[i]));
    }
  }
}

TEST_CASE("the bits depend neither on intra-op threads nor on the tasks beside it") {
  for (const int64_t channels : {3, 20}) {
    const Tensor x = numbers({2, 60, channels, 14, 14}, 1).to(torch::kFloat),
                 weight = numbers({2, 24, channels, 3, 3}, 2).to(torch::kFloat);
    const auto all = [](const Tensor& images, const Tensor& kernels) {
      const std::vector<Tensor> in = test::leaves({kernels});
      const Tensor y = fast_conv(images, in[0], {}, {});
      auto found = test::gradients(y.square().sum(), in, false);
      found.push_back(y.detach());
      return found;
    };
    const auto one_thread = all(x, weight);
    at::set_num_threads(2);
    const auto two_threads = all(x, weight);
    at::set_num_threads(1);
    const auto alone = all(x.narrow(0, 1, 1), weight.narrow(0, 1, 1));
    for (size_t i = 0; i < one_thread.size(); ++i) {
      CAPTURE(i);
      CHECK(torch::equal(one_thread[i], two_threads[i]));
      CHECK(torch::equal(alone[i][0], one_thread[i][1]));
    }
  }
}

TEST_CASE("at::parallel_for in our own files does run in several threads") {
  at::set_num_threads(2);
  std::array<std::thread::id, 2> ids;
  at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ids[static_cast<size_t>(i)] = std::this_thread::get_id();
  });
  at::set_num_threads(1);
  CHECK(ids[0] != ids[1]);
}

TEST_CASE("shape and device decide the path") {
  const Tensor x = torch::rand({1, 2, 16, 6, 6}), weight = torch::rand({16, 16, 3, 3});
  using Padding = Conv2d::Padding;
  CHECK(fast_conv_path(x, weight, {}) == ConvPath::winograd);
  CHECK(fast_conv_path(x, weight.unsqueeze(0), {}) == ConvPath::winograd);
  CHECK(fast_conv_path(x, weight, {1, Padding::same}) == ConvPath::winograd);
  CHECK(fast_conv_path(x, weight, {2, Padding::symmetric}) == ConvPath::library);
  CHECK(fast_conv_path(x, weight, {1, Padding::none}) == ConvPath::library);
  CHECK(fast_conv_path(x, torch::rand({16, 16, 1, 1}), {}) == ConvPath::library);
  CHECK(fast_conv_path(x, torch::rand({5, 16, 3, 3}), {}) == ConvPath::library);
  CHECK(fast_conv_path(x.to(torch::kHalf), weight, {}) == ConvPath::none);
  const Tensor image = torch::rand({1, 2, 3, 6, 6}), first = torch::rand({5, 3, 3, 3});
  CHECK(fast_conv_path(image, first, {}) == ConvPath::direct);
  CHECK(fast_conv_path(image, first, {2, Padding::none}) == ConvPath::direct);
  CHECK(fast_conv_path(image.clone().requires_grad_(true), first, {}) == ConvPath::library);
}

std::vector<float> floats(int64_t count, uint64_t index) {
  const Tensor tensor = numbers({count}, index).to(torch::kFloat);
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + count};
}

/// What the calls of both kinds of kernels answer for one small convolution.
std::vector<float> all_kernels(int64_t channels) {
  const Conv3x3Shape shape{
      .images = 2, .height = 5, .width = 4, .inputs = channels, .outputs = channels};
  const int64_t pairs = channels * channels, pixels = 2 * 5 * 4;
  const auto x = floats(pixels * channels, 1), weight = floats(9 * pairs, 2);
  const auto kernels = winograd_kernels<float>();
  std::vector<float> transformed(static_cast<size_t>(kWinogradPoints * pairs)),
      gradient(transformed.size()), y(x.size()), answer(weight.size());
  kernels.transform_weight(weight.data(), pairs, transformed.data());
  kernels.convolve(shape, 0, shape.tiles(), x.data(), transformed.data(), y.data());
  kernels.weight_gradient(shape, 0, shape.tiles(), x.data(), y.data(), gradient.data());
  kernels.gradient_of_weight(gradient.data(), pairs, answer.data());
  answer.insert(answer.end(), y.begin(), y.end());

  const PatchShape patches{
      .images = 2, .height = 5, .width = 4, .channels = channels, .outputs = channels};
  std::vector<float> direct(x.size()), direct_gradient(weight.size());
  const auto by_patches = patch_kernels<float>();
  by_patches.convolve(patches, 0, patches.rows(), x.data(), weight.data(), direct.data());
  by_patches.weight_gradient(patches, 0, patches.rows(), x.data(), direct.data(),
                             direct_gradient.data());
  answer.insert(answer.end(), direct.begin(), direct.end());
  answer.insert(answer.end(), direct_gradient.begin(), direct_gradient.end());
  return answer;
}

TEST_CASE("every instruction set of this processor gives the same convolution") {
  for (const int64_t channels : {5, 37}) {
    test::check_every_instruction_set(1e-4F, [&] { return all_kernels(channels); });
  }
}

}  // namespace kshot::fast_conv_test
