#include "framework/model/task_ops.h"

#include "framework/base/error.h"
#include "framework/model/fast_conv.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::task_ops_test {

using test::derivative_errors;
using test::Derivatives;
using test::derivatives;
using test::difference;
using test::numbers;

constexpr double kSame = 1e-10;
/// Error of central differences of a smooth function in float64, with step 1e-5 and values near 1.
constexpr double kSmooth = 1e-7;

// ---- per-task parameters against a loop over tasks

/// An operation on inputs that all have a leading task axis.
struct TaskOp {
  std::string name;
  std::vector<Tensor> inputs;
  test::Function together;  ///< all tasks in one call
  test::Function alone;     ///< one task in one call, parameters of their shared rank
};

/// The same inputs, task by task.
Derivatives by_loop(const TaskOp& op) {
  return derivatives(
      [&](const std::vector<Tensor>& inputs) {
        std::vector<Tensor> rows;
        for (int64_t t = 0; t < inputs[0].size(0); ++t) {
          std::vector<Tensor> of_task{inputs[0].narrow(0, t, 1)};
          for (size_t i = 1; i < inputs.size(); ++i) of_task.push_back(inputs[i].select(0, t));
          rows.push_back(op.alone(of_task));
        }
        return torch::cat(rows, 0);
      },
      op.inputs);
}

void check_loop(const TaskOp& op) {
  CAPTURE(op.name);
  const Derivatives loop = by_loop(op), all = derivatives(op.together, op.inputs);
  CHECK(difference(all.values, loop.values) <= kSame);
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    CAPTURE(i);
    CHECK(difference(all.first[i], loop.first[i]) <= kSame);
    CHECK(difference(all.second[i], loop.second[i]) <= kSame);
  }
}

Tensor at_or_none(const std::vector<Tensor>& inputs, size_t i) {
  return i < inputs.size() ? inputs[i] : Tensor();
}

struct Convolution {
  std::string name;
  Conv2d how;
};

std::vector<Convolution> all_convolutions() {
  std::vector<Convolution> result;
  using Padding = Conv2d::Padding;
  for (const int64_t stride : {1, 2}) {
    const std::string with = "stride " + std::to_string(stride) + " ";
    result.push_back({with + "symmetric", {stride, Padding::symmetric}});
    result.push_back({with + "same", {stride, Padding::same}});
    result.push_back({with + "none", {stride, Padding::none}});
  }
  return result;
}

TEST_CASE(
    "conv2d with each task's own kernels equals a loop over tasks, to the second derivative") {
  for (const Convolution& conv : all_convolutions()) {
    for (const int64_t channels : {1, 5}) {
      for (const bool bias : {true, false}) {
        std::vector<Tensor> inputs{numbers({3, 4, channels, 7, 6}, 1),
                                   numbers({3, 2, channels, 3, 3}, 2)};
        if (bias) inputs.push_back(numbers({3, 2}, 3));
        const test::Function op = [&](const std::vector<Tensor>& in) {
          return conv2d(in[0], in[1], at_or_none(in, 2), conv.how);
        };
        check_loop({conv.name + ", " + std::to_string(channels) + " channels", inputs, op, op});
      }
    }
  }
}

TEST_CASE(
    "conv2d's short way for few channels, taken where images need no gradient, equals the loop "
    "too") {
  for (const Convolution& conv : all_convolutions()) {
    CAPTURE(conv.name);
    const Tensor images = numbers({3, 4, 1, 7, 6}, 1);
    const std::vector<Tensor> own{numbers({3, 2, 1, 3, 3}, 2), numbers({3, 2}, 3)};
    const auto loop = [&](const std::vector<Tensor>& in) {
      std::vector<Tensor> rows;
      for (int64_t t = 0; t < 3; ++t)
        rows.push_back(conv2d(images.narrow(0, t, 1), in[0][t], in[1][t], conv.how));
      return torch::cat(rows, 0);
    };
    const Derivatives a = derivatives(loop, own);
    const Derivatives b =
        derivatives([&](const auto& in) { return conv2d(images, in[0], in[1], conv.how); }, own);
    CHECK(difference(a.values, b.values) <= kSame);
    for (size_t i = 0; i < own.size(); ++i) {
      CHECK(difference(a.first[i], b.first[i]) <= kSame);
      CHECK(difference(a.second[i], b.second[i]) <= kSame);
    }
  }
}

/// Kernels that are not square, and channels in groups up to depthwise: 6 channels of 7x6 images.
struct OddConvolution {
  std::string name;
  Conv2d how;
  std::vector<int64_t> kernel;  ///< [O,C/groups,k,l]
};

std::vector<OddConvolution> odd_convolutions() {
  using Padding = Conv2d::Padding;
  return {{"1x5", {}, {2, 6, 1, 5}},
          {"5x1, stride 2", {.stride = 2}, {2, 6, 5, 1}},
          {"3x1, none", {.padding = Padding::none}, {2, 6, 3, 1}},
          {"1x4, same", {.padding = Padding::same}, {2, 6, 1, 4}},
          {"2x3, stride 2, same", {2, Padding::same}, {2, 6, 2, 3}},
          {"two groups", {.groups = 2}, {4, 3, 3, 3}},
          {"depthwise", {.groups = 6}, {6, 1, 3, 3}},
          {"depthwise 5x5, stride 2", {.stride = 2, .groups = 6}, {6, 1, 5, 5}},
          {"two outputs a channel", {.groups = 6}, {12, 1, 1, 3}}};
}

TEST_CASE(
    "kernels that are not square and groups of channels: each task's own equal a loop over tasks, "
    "to the second derivative") {
  for (const OddConvolution& conv : odd_convolutions()) {
    std::vector<int64_t> own = conv.kernel;
    own.insert(own.begin(), 3);
    const test::Function op = [&](const auto& in) { return conv2d(in[0], in[1], in[2], conv.how); };
    check_loop({conv.name,
                {numbers({3, 2, 6, 7, 6}, 1), numbers(own, 2), numbers({3, conv.kernel[0]}, 3)},
                op,
                op});
  }
}

TEST_CASE("such a convolution has the values of LibTorch's and leaves as many rows as announced") {
  for (const OddConvolution& conv : odd_convolutions()) {
    CAPTURE(conv.name);
    const Tensor x = numbers({1, 2, 6, 7, 6}, 1), weight = numbers(conv.kernel, 2);
    const Tensor y = conv2d(x, weight, Tensor(), conv.how)[0];
    const int64_t height = conv.kernel[2], width = conv.kernel[3];
    CHECK(y.size(2) == size_after(7, height, conv.how));
    CHECK(y.size(3) == size_after(6, width, conv.how));
    if (conv.how.padding == Conv2d::Padding::same) continue;
    const bool around = conv.how.padding == Conv2d::Padding::symmetric;
    const std::vector<int64_t> padding{around ? height / 2 : 0, around ? width / 2 : 0};
    const Tensor expected =
        torch::conv2d(x[0], weight, {}, conv.how.stride, padding, 1, conv.how.groups);
    CHECK(difference(y, expected) <= 1e-12);
    CHECK(fast_conv_path(x, weight, conv.how) ==
          (conv.how.groups == 1 && height == width ? ConvPath::library : ConvPath::none));
  }
}

TEST_CASE("a shared kernel with a bias of each task, and the reverse, equal the loop") {
  const Tensor x = numbers({3, 4, 2, 5, 5}, 1), shared = numbers({2, 2, 3, 3}, 2),
               bias = numbers({2}, 3);
  check_loop({"own bias",
              {x, numbers({3, 2}, 4)},
              [&](const auto& in) { return conv2d(in[0], shared, in[1], {}); },
              [&](const auto& in) { return conv2d(in[0], shared, in[1], {}); }});
  check_loop({"own kernel",
              {x, numbers({3, 2, 2, 3, 3}, 4)},
              [&](const auto& in) { return conv2d(in[0], in[1], bias, {}); },
              [&](const auto& in) { return conv2d(in[0], in[1], bias, {}); }});
}

TEST_CASE(
    "linear with each task's own weights equals a loop over tasks, to the second derivative") {
  const test::Function op = [](const auto& in) { return linear(in[0], in[1], at_or_none(in, 2)); };
  check_loop(
      {"with bias", {numbers({3, 4, 5}, 1), numbers({3, 2, 5}, 2), numbers({3, 2}, 3)}, op, op});
  check_loop({"without", {numbers({3, 4, 5}, 1), numbers({3, 2, 5}, 2)}, op, op});
  const Tensor shared = numbers({2, 5}, 4);
  check_loop({"own bias, shared weight",
              {numbers({3, 4, 5}, 1), numbers({3, 2}, 3)},
              [&](const auto& in) { return linear(in[0], shared, in[1]); },
              [&](const auto& in) { return linear(in[0], shared, in[1]); }});
}

TEST_CASE("max_pool2 of all tasks equals a loop over tasks, to the second derivative") {
  for (const bool same : {false, true}) {
    const test::Function op = [same](const auto& in) { return max_pool2(in[0], same); };
    check_loop({same ? "same" : "drop", {numbers({3, 4, 2, 5, 5}, 1)}, op, op});
  }
}

TEST_CASE("squared_distances of all tasks equal a loop over tasks, to the second derivative") {
  check_loop({"distances",
              {numbers({3, 4, 5}, 1), numbers({3, 2, 5}, 2)},
              [](const auto& in) { return squared_distances(in[0], in[1]); },
              [](const auto& in) { return squared_distances(in[0], in[1].unsqueeze(0)); }});
}

TEST_CASE("cosine_similarities of all tasks equal a loop over tasks, to the second derivative") {
  check_loop({"cosines",
              {numbers({3, 4, 5}, 1), numbers({3, 2, 5}, 2)},
              [](const auto& in) { return cosine_similarities(in[0], in[1]); },
              [](const auto& in) { return cosine_similarities(in[0], in[1].unsqueeze(0)); }});
}

Tensor positive(const std::vector<int64_t>& shape, uint64_t index) {
  return numbers(shape, index) + 1.5;
}

/// A parameter as statistics [T,C].
Tensor with_task_axis(const Tensor& value) { return value.dim() == 1 ? value.unsqueeze(0) : value; }

/// A layer without scale and shift.
NormParams plain(const std::string& layer) {
  NormParams params;
  params.layer = layer;
  return params;
}

/// in: x, gamma, beta, and the mean and variance that the modes other than `batch` read.
Tensor norm_in_mode(NormMode mode, const std::vector<Tensor>& in, bool differentiable_met = false) {
  Forward forward{.norm = mode};
  forward.differentiable_met = differentiable_met;
  NormStatistics given, met;
  forward.met = &met;
  NormParams params = plain("norm");
  params.gamma = in[1];
  params.beta = in[2];
  if (mode == NormMode::given) {
    given.push_back({"norm", with_task_axis(in[3]), with_task_axis(in[4]), 8});
    forward.given = &given;
  }
  if (mode == NormMode::running) {
    params.running_mean = in[3];
    params.running_var = in[4];
  }
  return batch_norm(in[0], params, forward);
}

TEST_CASE("batch norm in every mode, with parameters of each task, equals a loop over tasks") {
  const Tensor x = numbers({3, 4, 2, 3, 3}, 1);
  const std::vector<Tensor> affine{numbers({3, 2}, 2), numbers({3, 2}, 3)};
  const std::vector<Tensor> statistics{numbers({3, 2}, 4), positive({3, 2}, 5)};
  for (const NormMode mode : {NormMode::batch, NormMode::given, NormMode::running}) {
    for (const bool differentiable : {false, true}) {
      const test::Function op = [=](const auto& in) {
        return norm_in_mode(mode, in, differentiable);
      };
      std::vector<Tensor> inputs{x, affine[0], affine[1]};
      if (mode != NormMode::batch)
        inputs.insert(inputs.end(), statistics.begin(), statistics.end());
      check_loop({"mode " + std::to_string(static_cast<int>(mode)), inputs, op, op});
    }
  }
}

TEST_CASE("batch norm takes shared parameters for all tasks, or none") {
  const Tensor x = numbers({3, 4, 2, 3, 3}, 1), gamma = numbers({2}, 2), beta = numbers({2}, 3);
  using Affine = std::pair<Tensor, Tensor>;
  for (const auto& [g, b] : {Affine{gamma, beta}, Affine{{}, beta}, Affine{gamma, {}}, Affine{}}) {
    const auto op = [g = g, b = b](const auto& in) {
      return norm_in_mode(NormMode::batch, {in[0], g, b});
    };
    check_loop({"affine", {x}, op, op});
  }
}

TEST_CASE(
    "batch norm of one task, LibTorch's kernel, equals the plain composition, to the second "
    "derivative") {
  const std::vector<Tensor> in{numbers({1, 4, 2, 3, 3}, 1), numbers({2}, 2), numbers({2}, 3)};
  const Derivatives kernel =
      derivatives([](const auto& x) { return norm_in_mode(NormMode::batch, x, false); }, in);
  const Derivatives plain =
      derivatives([](const auto& x) { return norm_in_mode(NormMode::batch, x, true); }, in);
  CHECK(difference(kernel.values, plain.values) <= kSame);
  for (size_t i = 0; i < in.size(); ++i) {
    CHECK(difference(kernel.first[i], plain.first[i]) <= kSame);
    CHECK(difference(kernel.second[i], plain.second[i]) <= kSame);
  }
}

// ---- derivatives against central differences

void check_smooth(const std::string& name, const test::Function& op,
                  const std::vector<Tensor>& at) {
  CAPTURE(name);
  const auto errors = derivative_errors(op, at);
  CHECK(errors.first <= kSmooth);
  CHECK(errors.second <= kSmooth);
}

TEST_CASE("first and second derivatives agree with central differences") {
  for (const Convolution& conv : all_convolutions()) {
    const auto op = [&](const auto& in) { return conv2d(in[0], in[1], in[2], conv.how); };
    check_smooth(conv.name, op,
                 {numbers({2, 1, 2, 4, 3}, 1), numbers({2, 2, 2, 3, 3}, 2), numbers({2, 2}, 3)});
    const Tensor images = numbers({2, 2, 1, 4, 3}, 1);
    const auto few = [&](const auto& in) { return conv2d(images, in[0], in[1], conv.how); };
    check_smooth(conv.name + ", images without gradient", few,
                 {numbers({2, 1, 3, 3}, 2), numbers({2}, 3)});
  }
  check_smooth("linear", [](const auto& in) { return linear(in[0], in[1], in[2]); },
               {numbers({2, 3, 4}, 1), numbers({2, 2, 4}, 2), numbers({2, 2}, 3)});
  check_smooth("squared distances", [](const auto& in) { return squared_distances(in[0], in[1]); },
               {numbers({2, 3, 4}, 1), numbers({2, 2, 4}, 2)});
  check_smooth("cosines", [](const auto& in) { return cosine_similarities(in[0], in[1]); },
               {numbers({2, 3, 4}, 1), numbers({2, 2, 4}, 2)});
  // Values at least 0.1 apart: no maximum changes hands within a step.
  const Tensor apart =
      (torch::arange(48, torch::kDouble) * 7).remainder(48).view({2, 1, 1, 4, 6}) * 0.1;
  check_smooth("max_pool2", [](const auto& in) { return max_pool2(in[0]); }, {apart});
  const auto normalised = [](NormMode mode, bool differentiable) {
    return [=](const std::vector<Tensor>& in) { return norm_in_mode(mode, in, differentiable); };
  };
  for (const int64_t tasks : {1, 3}) {
    const std::vector<Tensor> affine{numbers({tasks, 3, 2, 2, 2}, 1), numbers({tasks, 2}, 2),
                                     numbers({tasks, 2}, 3)};
    const std::vector<Tensor> all{affine[0], affine[1], affine[2], numbers({tasks, 2}, 4),
                                  positive({tasks, 2}, 5)};
    check_smooth("norm: batch", normalised(NormMode::batch, false), affine);
    check_smooth("norm: batch, statistics kept in the graph", normalised(NormMode::batch, true),
                 affine);
    check_smooth("norm: given", normalised(NormMode::given, false), all);
    check_smooth("norm: running", normalised(NormMode::running, false), all);
  }
}

TEST_CASE(
    "queries normalised by the support's statistics move with the support, in both derivatives") {
  for (const int64_t tasks : {1, 3}) {
    CAPTURE(tasks);
    const auto query_after_support = [](const std::vector<Tensor>& in) {
      NormStatistics met;
      Forward on_support{.norm = NormMode::batch, .met = &met, .differentiable_met = true};
      batch_norm(in[0], plain("norm"), on_support);
      Forward on_query{.norm = NormMode::given, .given = &met};
      return batch_norm(in[1], plain("norm"), on_query);
    };
    const std::vector<Tensor> at{numbers({tasks, 3, 2, 2, 2}, 1), numbers({tasks, 2, 2, 2, 2}, 2)};
    check_smooth("given", query_after_support, at);
    CHECK(derivatives(query_after_support, at).first[0].abs().max().item<double>() > 1e-3);
  }
}

// ---- worked numbers and outside oracles

TEST_CASE("conv2d equals torch::conv2d on the padded image, for few and for many channels") {
  for (const int64_t channels : {1, 2, 3, 4, 5, 8}) {
    for (const int64_t size : {6, 7}) {
      for (const bool gradient : {false, true}) {
        const Tensor x = numbers({2, 3, channels, size, size}, 1).requires_grad_(gradient);
        const Tensor weight = numbers({6, channels, 3, 3}, 2), bias = numbers({6}, 3);
        for (const Convolution& conv : all_convolutions()) {
          CAPTURE(conv.name);
          CAPTURE(channels);
          CAPTURE(size);
          CAPTURE(gradient);
          Tensor padded = x.flatten(0, 1);
          if (conv.how.padding == Conv2d::Padding::symmetric)
            padded = torch::constant_pad_nd(padded, {1, 1, 1, 1});
          if (conv.how.padding == Conv2d::Padding::same) {
            // Stride 2 on an even size needs one zero, at the end; all else two.
            const int64_t first = conv.how.stride == 2 && size % 2 == 0 ? 0 : 1;
            padded = torch::constant_pad_nd(padded, {first, 1, first, 1});
          }
          const Tensor expected =
              torch::conv2d(padded, weight, bias, conv.how.stride).unflatten(0, {2, 3});
          CHECK(difference(conv2d(x, weight, bias, conv.how), expected) <= kSame);
          CHECK(difference(conv2d(x, weight, Tensor(), conv.how),
                           expected - bias.view({6, 1, 1})) <= kSame);
        }
      }
    }
  }
}

TEST_CASE("conv2d in float32 by patches agrees with LibTorch's to rounding") {
  const Tensor x = numbers({1, 5, 1, 28, 28}, 1).to(torch::kFloat),
               weight = numbers({64, 1, 3, 3}, 2).to(torch::kFloat);
  const Tensor expected = torch::conv2d(x[0], weight, {}, 1, 1);
  CHECK(difference(conv2d(x, weight, Tensor(), Conv2d{})[0], expected) <= 1e-5);
}

TEST_CASE("TensorFlow's SAME puts the odd zero at the bottom and right") {
  // A kernel that passes on its upper left corner shows where each window begins.
  Tensor corner = torch::zeros({1, 1, 3, 3}, torch::kDouble);
  corner[0][0][0][0] = 1;
  const auto windows = [&](int64_t size, Conv2d::Padding padding) {
    const Tensor image =
        torch::arange(1, size * size + 1, torch::kDouble).view({1, 1, 1, size, size});
    return conv2d(image, corner, {}, {2, padding})[0][0][0];
  };
  const auto rows = [](std::initializer_list<double> values, int64_t size) {
    return torch::tensor(std::vector<double>(values), torch::kDouble).view({size, size});
  };
  // 4x4: one zero in all, so windows begin at rows 0 and 2.
  CHECK(torch::equal(windows(4, Conv2d::Padding::same), rows({1, 3, 9, 11}, 2)));
  CHECK(torch::equal(windows(4, Conv2d::Padding::symmetric), rows({0, 0, 0, 6}, 2)));
  // 5x5: one zero on each side, so windows begin at rows -1, 1 and 3, as with symmetric padding.
  CHECK(torch::equal(windows(5, Conv2d::Padding::same), rows({0, 0, 0, 0, 7, 9, 0, 17, 19}, 3)));
  CHECK(torch::equal(windows(5, Conv2d::Padding::symmetric), windows(5, Conv2d::Padding::same)));
}

TEST_CASE("max_pool2 drops an odd last row and column, or pools them with what there is") {
  const Tensor image = torch::arange(9, torch::kDouble).view({1, 1, 1, 3, 3});
  CHECK(torch::equal(max_pool2(image)[0][0][0], torch::full({1, 1}, 4, torch::kDouble)));
  CHECK(torch::equal(max_pool2(image, true)[0][0][0],
                     torch::tensor({{4.0, 5.0}, {7.0, 8.0}}, torch::kDouble)));
  // Negative values: nothing is padded with zeros.
  CHECK(torch::equal(max_pool2(image - 20, true)[0][0][0],
                     torch::tensor({{-16.0, -15.0}, {-13.0, -12.0}}, torch::kDouble)));
}

TEST_CASE("squared distances: worked numbers, and never below zero") {
  const Tensor a = torch::tensor({{{0.0, 0.0}, {1.0, 2.0}}}, torch::kDouble);
  const Tensor b = torch::tensor({{{3.0, 4.0}, {1.0, 2.0}, {0.0, 1.0}}}, torch::kDouble);
  CHECK(difference(squared_distances(a, b),
                   torch::tensor({{{25.0, 5.0, 1.0}, {8.0, 0.0, 2.0}}}, torch::kDouble)) <= 1e-12);
  const Tensor far = (numbers({1, 50, 64}, 1) * 1e3).to(torch::kFloat);
  CHECK(squared_distances(far, far).min().item<float>() >= 0);
}

TEST_CASE("cosines: worked numbers, whatever the lengths, and 0 for a vector of zeros") {
  const Tensor a = torch::tensor({{{3.0, 4.0}, {-60.0, -80.0}, {0.0, 0.0}}}, torch::kDouble)
                       .requires_grad_(true);
  const Tensor b = torch::tensor({{{1.0, 0.0}, {0.0, 7.0}, {4.0, 3.0}}}, torch::kDouble);
  const Tensor cosines = cosine_similarities(a, b);
  CHECK(
      difference(cosines, torch::tensor({{{0.6, 0.8, 0.96}, {-0.6, -0.8, -0.96}, {0.0, 0.0, 0.0}}},
                                        torch::kDouble)) <= 1e-12);
  CHECK(torch::isfinite(torch::autograd::grad({cosines.sum()}, {a})[0]).all().item<bool>());
}

TEST_CASE("batch norm: worked numbers") {
  // One channel with values 1, 2, 3, 6: mean 3, biased variance (4 + 1 + 0 + 9) / 4 = 3.5.
  const Tensor x = torch::tensor({1.0, 2.0, 3.0, 6.0}, torch::kDouble).view({1, 2, 1, 1, 2});
  NormStatistics met;
  Forward forward{.norm = NormMode::batch, .met = &met};
  NormParams params = plain("norm");
  params.gamma = torch::full({1}, 2, torch::kDouble);
  params.beta = torch::full({1}, 10, torch::kDouble);
  params.eps = 0.5;
  const Tensor y = batch_norm(x, params, forward);
  const Tensor expected = torch::tensor({8.0, 9.0, 10.0, 13.0}, torch::kDouble)
                              .view({1, 2, 1, 1, 2});  // 10 + 2 (x-3) / sqrt(4)
  CHECK(difference(y, expected) <= kSame);
  REQUIRE(met.size() == 1);
  CHECK(met[0].layer == "norm");
  CHECK(met[0].count == 4);
  CHECK(difference(met[0].mean, torch::full({1, 1}, 3, torch::kDouble)) <= kSame);
  CHECK(difference(met[0].variance, torch::full({1, 1}, 3.5, torch::kDouble)) <= kSame);
}

TEST_CASE("the statistics met are each task's mean and biased variance over its values") {
  const Tensor x = numbers({3, 4, 2, 3, 5}, 1);
  for (const bool one_by_one : {false, true}) {
    for (const bool differentiable : {false, true}) {
      for (int64_t t = 0; t < 3; ++t) {
        NormStatistics met;
        Forward forward{.norm = NormMode::batch, .met = &met};
        forward.differentiable_met = differentiable;
        const Tensor input = one_by_one ? x.narrow(0, t, 1) : x;
        batch_norm(input, plain("n"), forward);
        const int64_t row = one_by_one ? 0 : t;
        CHECK(met[0].count == 60);
        for (int64_t c = 0; c < 2; ++c) {
          const Tensor values = x[t].select(1, c).reshape(-1);
          CHECK(std::abs(met[0].mean[row][c].item<double>() - values.mean().item<double>()) <=
                kSame);
          CHECK(std::abs(met[0].variance[row][c].item<double>() -
                         values.var(false).item<double>()) <= kSame);
        }
      }
    }
  }
}

TEST_CASE("statistics stay in the graph only where that is asked for") {
  for (const int64_t tasks : {1, 3}) {
    for (const bool differentiable : {false, true}) {
      NormStatistics met;
      Forward forward{.norm = NormMode::batch, .met = &met};
      forward.differentiable_met = differentiable;
      const Tensor x = numbers({tasks, 4, 2, 3, 3}, 1).requires_grad_(true);
      batch_norm(x, plain("n"), forward);
      CHECK(met[0].mean.requires_grad() == differentiable);
      CHECK(met[0].variance.requires_grad() == differentiable);
    }
  }
}

TEST_CASE("running buffers are what LibTorch's batch norm would keep: the unbiased variance") {
  const Tensor x = numbers({2, 4, 3, 3, 3}, 1);
  NormStatistics met;
  Forward forward{.norm = NormMode::batch, .met = &met};
  batch_norm(x, plain("b.norm"), forward);
  const ParamList buffers = running_buffers(met);
  REQUIRE(buffers.size() == 2);
  for (int64_t t = 0; t < 2; ++t) {
    Tensor mean = torch::full({3}, 5, torch::kDouble), var = torch::full({3}, 7, torch::kDouble);
    torch::batch_norm(x[t], {}, {}, mean, var, true, 0.1, 1e-5, false);
    CHECK(difference(buffers["b.norm.running_mean"][t] * 0.1 + 4.5, mean) <= kSame);
    CHECK(difference(buffers["b.norm.running_var"][t] * 0.1 + 6.3, var) <= kSame);
  }
  CHECK(buffers.at(0).role == Role::buffer);
}

TEST_CASE("a single value has variance 0, for one task as for several") {
  for (const int64_t tasks : {1, 2}) {
    NormStatistics met;
    Forward forward{.norm = NormMode::batch, .met = &met};
    batch_norm(torch::ones({tasks, 1, 2, 1, 1}, torch::kDouble), plain("n"), forward);
    CHECK(torch::equal(met[0].variance, torch::zeros({tasks, 2}, torch::kDouble)));
    CHECK(torch::isfinite(running_buffers(met).at(1).value).all().item<bool>());
  }
}

TEST_CASE(
    "batch norm in mode batch does not look at the running buffers, and no mode changes them") {
  const Tensor x = numbers({1, 4, 2, 3, 3}, 1);
  const auto norm = [&](NormMode mode, const Tensor& mean, const Tensor& var) {
    Forward forward{.norm = mode};
    NormParams params = plain("n");
    params.running_mean = mean;
    params.running_var = var;
    return batch_norm(x, params, forward);
  };
  const Tensor mean = numbers({2}, 2), var = positive({2}, 3), mean_before = mean.clone(),
               var_before = var.clone();
  CHECK(torch::equal(norm(NormMode::batch, mean, var), norm(NormMode::batch, mean + 1, var * 2)));
  CHECK_FALSE(
      torch::equal(norm(NormMode::running, mean, var), norm(NormMode::running, mean + 1, var * 2)));
  CHECK(torch::equal(mean, mean_before));
  CHECK(torch::equal(var, var_before));
}

TEST_CASE("a leading axis that is not the number of tasks is refused by every operation") {
  const Tensor images = numbers({3, 4, 2, 5, 5}, 1), rows = numbers({3, 4, 5}, 1),
               bias3 = numbers({3, 2}, 2);
  for (const int64_t wrong : {1, 2, 4}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(conv2d(images, numbers({wrong, 2, 2, 3, 3}, 2), Tensor(), Conv2d{}),
                    c10::Error);
    CHECK_THROWS_AS(conv2d(images, numbers({2, 2, 3, 3}, 2), numbers({wrong, 2}, 3), {}),
                    c10::Error);
    CHECK_THROWS_AS(conv2d(images, numbers({3, 2, 2, 3, 3}, 2), numbers({wrong, 2}, 3), {}),
                    c10::Error);
    CHECK_THROWS_AS(linear(rows, numbers({wrong, 2, 5}, 2), Tensor()), c10::Error);
    CHECK_THROWS_AS(linear(rows, numbers({2, 5}, 2), numbers({wrong, 2}, 3)), c10::Error);
    for (const NormMode mode : {NormMode::batch, NormMode::given, NormMode::running}) {
      CHECK_THROWS_AS(
          norm_in_mode(mode, {images, numbers({wrong, 2}, 2), bias3, bias3, bias3.abs()}),
          c10::Error);
      CHECK_THROWS_AS(
          norm_in_mode(mode, {images, bias3, numbers({wrong, 2}, 2), bias3, bias3.abs()}),
          c10::Error);
    }
    CHECK_THROWS_AS(
        norm_in_mode(NormMode::given, {images, bias3, bias3, numbers({wrong, 2}, 2), bias3.abs()}),
        c10::Error);
    CHECK_THROWS_AS(norm_in_mode(NormMode::running,
                                 {images, bias3, bias3, bias3, numbers({wrong, 2}, 2).abs()}),
                    c10::Error);
  }
  // One task: two rows must not become two tasks by broadcasting.
  const Tensor one = numbers({1, 4, 2, 5, 5}, 1), own = numbers({1, 2}, 2),
               two = numbers({2, 2}, 2).abs();
  CHECK_THROWS_AS(conv2d(one, numbers({2, 2, 2, 3, 3}, 2), Tensor(), Conv2d{}), c10::Error);
  CHECK_THROWS_AS(conv2d(one, numbers({2, 2, 3, 3}, 2), two, {}), c10::Error);
  CHECK_THROWS_AS(linear(numbers({1, 4, 5}, 1), numbers({2, 5}, 2), two), c10::Error);
  CHECK_THROWS_AS(norm_in_mode(NormMode::batch, {one, two, own}), c10::Error);
  CHECK_THROWS_AS(norm_in_mode(NormMode::running, {one, two, own, own, own.abs()}), c10::Error);
  CHECK_THROWS_AS(norm_in_mode(NormMode::running, {one, own, own, own, two}), c10::Error);
}

TEST_CASE("given statistics that lack the layer are a defect with a name") {
  NormStatistics other{{"block1.norm", numbers({1, 2}, 1), numbers({1, 2}, 1).abs(), 4}};
  Forward forward{.norm = NormMode::given, .given = &other};
  const auto error =
      test::caught([&] { batch_norm(numbers({1, 4, 2, 3, 3}, 1), plain("block2.norm"), forward); });
  REQUIRE(error);
  CHECK(error->code() == Exit::internal);
  CHECK(std::string(error->what()).find("block2.norm") != std::string::npos);
}

}  // namespace kshot::task_ops_test
