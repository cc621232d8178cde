#include "framework/model/norm_pool.h"

#include "framework/model/norm_pool_kernels.h"
#include "framework/model/norm_pool_second_kernels.h"
#include "tests/doctest_torch.h"
#include "tests/model/instruction_sets.h"
#include "tests/model/numbers.h"

namespace kshot::norm_pool_test {

using test::curved_sum;
using test::Derivatives;
using test::derivatives;
using test::difference;
using test::gradients;
using test::leaves;
using test::numbers;

constexpr double kSame = 1e-10;

/// A call by its inputs u [T,N,C,H,W], gamma and beta (either may be absent).
struct Call {
  std::string name;
  std::vector<Tensor> inputs;
  PoolAndActivation then;
  bool gamma = true, beta = true;

  NormParams params(const std::vector<Tensor>& in) const {
    NormParams params;
    params.layer = "n";
    size_t next = 1;
    if (gamma) params.gamma = in[next++];
    if (beta) params.beta = in[next];
    return params;
  }
  Tensor fused(const std::vector<Tensor>& in) const {
    Forward forward;
    return norm_pool(in[0], params(in), then, forward);
  }
  Tensor plain(const std::vector<Tensor>& in) const {
    Forward forward;
    return norm_pool_plain(in[0], params(in), then, forward);
  }
};

/// Every way to pool, activate and share parameters, with odd and even sizes; `channels` channels.
std::vector<Call> all_calls(int64_t channels) {
  std::vector<Call> calls;
  const std::vector<std::vector<int64_t>> sizes{{4, 4}, {5, 4}, {4, 7}, {3, 3}};
  uint64_t index = 0;
  for (const int64_t tasks : {1, 3}) {
    for (const bool pool : {true, false}) {
      for (const double slope : {0.0, 0.01, 1.0}) {
        const auto& size = sizes[index % sizes.size()];
        const std::vector<int64_t> own{tasks, channels}, shared{channels};
        const auto& shape = index % 3 == 0 ? own : shared;
        Call call{.name = fmt::format("{} tasks of {}x{}, pool {}, slope {}", tasks, size[0],
                                      size[1], pool, slope),
                  .inputs = {numbers({tasks, 3, channels, size[0], size[1]}, ++index)},
                  .then = {.pool = pool, .slope = slope},
                  .gamma = index % 4 != 0,
                  .beta = index % 5 != 0};
        if (call.gamma) call.inputs.push_back(numbers(shape, ++index));  // of either sign
        if (call.beta) call.inputs.push_back(numbers(shape, ++index));
        calls.push_back(call);
      }
    }
  }
  return calls;
}

TEST_CASE(
    "norm, pool and activation in one equal the plain composition, to the second derivative") {
  for (const Call& call : all_calls(5)) {
    CAPTURE(call.name);
    const auto fused = [&](const std::vector<Tensor>& in) { return call.fused(in); };
    const auto plain = [&](const std::vector<Tensor>& in) { return call.plain(in); };
    const Derivatives one = derivatives(fused, call.inputs),
                      other = derivatives(plain, call.inputs);
    CHECK(difference(one.values, other.values) <= kSame);
    // A backward pass that nothing will differentiate takes our own kernels.
    const std::vector<Tensor> in = leaves(call.inputs);
    const std::vector<Tensor> first = gradients(curved_sum(call.fused(in), 1001), in, false);
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      CAPTURE(i);
      CHECK(difference(first[i], other.first[i]) <= kSame);
      CHECK(difference(one.first[i], other.first[i]) <= kSame);
      CHECK(difference(one.second[i], other.second[i]) <= kSame);
      CHECK(other.second[i].abs().max().item<double>() > 1e-3);
    }
  }
}

TEST_CASE("third derivatives equal the plain composition's") {
  for (const Call& call : all_calls(3)) {
    CAPTURE(call.name);
    const auto third = [&](auto compute) {
      return derivatives(
          [&](const std::vector<Tensor>& in) {
            return test::gradients(compute(in).pow(3).sum(), {in[0]}, true)[0];
          },
          call.inputs);
    };
    const Derivatives one = third([&](const auto& in) { return call.fused(in); }),
                      other = third([&](const auto& in) { return call.plain(in); });
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      CAPTURE(i);
      CHECK(difference(one.first[i], other.first[i]) <= kSame);
      CHECK(difference(one.second[i], other.second[i]) <= 1e-8);
    }
  }
}

TEST_CASE(
    "in float32 values and gradients agree to 1e-5 of their norm, with any number of channels") {
  for (const int64_t channels : {1, 3, 16, 37, 64}) {
    for (Call call : all_calls(channels)) {
      CAPTURE(call.name);
      CAPTURE(channels);
      for (Tensor& input : call.inputs) input = input.to(torch::kFloat);
      const auto norm_error = [](const Tensor& a, const Tensor& b) {
        return ((a - b).norm() / b.norm()).item<double>();
      };
      const std::vector<Tensor> in = leaves(call.inputs);
      const Tensor y = call.fused(in), expected = call.plain(in);
      CHECK(norm_error(y, expected) <= 1e-5);
      // By a smooth scalar: with sin() of float32 the reference itself has an error of 1e-6.
      const Tensor weights = numbers(y.sizes().vec(), 77).to(torch::kFloat);
      const auto found = gradients((y * weights).sum(), in, false);
      const auto wanted = gradients((expected * weights).sum(), in, false);
      for (size_t i = 0; i < in.size(); ++i) CHECK(norm_error(found[i], wanted[i]) <= 1e-5);
    }
  }
}

TEST_CASE("the bits depend neither on intra-op threads nor on the tasks beside it") {
  const Tensor u = numbers({3, 40, 20, 14, 14}, 1).to(torch::kFloat);
  const Tensor gamma = numbers({20}, 2).to(torch::kFloat),
               beta = numbers({20}, 3).to(torch::kFloat);
  const auto all = [&](const Tensor& images) {
    const std::vector<Tensor> in = leaves({images, gamma, beta});
    const Call call{.name = "", .inputs = {}, .then = {.pool = true, .slope = 0}};
    const Tensor y = call.fused(in);
    return std::vector<Tensor>{y, gradients(y.square().sum(), {in[0]}, false)[0]};
  };
  const auto one_thread = all(u);
  at::set_num_threads(2);
  const auto two_threads = all(u);
  at::set_num_threads(1);
  for (size_t i = 0; i < 2; ++i) CHECK(torch::equal(one_thread[i], two_threads[i]));
  const auto alone = all(u.narrow(0, 1, 1));
  for (size_t i = 0; i < 2; ++i) CHECK(torch::equal(alone[i][0], one_thread[i][1]));
}

TEST_CASE("the statistics that were met are the plain composition's") {
  const Call call = all_calls(5).back();
  NormStatistics fused, plain;
  Forward forward{.met = &fused}, reference{.met = &plain};
  norm_pool(call.inputs[0], call.params(call.inputs), call.then, forward);
  norm_pool_plain(call.inputs[0], call.params(call.inputs), call.then, reference);
  REQUIRE(fused.size() == 1);
  CHECK(fused[0].layer == "n");
  CHECK(fused[0].count == plain[0].count);
  CHECK(difference(fused[0].mean, plain[0].mean) <= kSame);
  CHECK(difference(fused[0].variance, plain[0].variance) <= kSame);
}

TEST_CASE(
    "a bias that was left out moves the mean that is met, has a zero gradient, and changes "
    "nothing") {
  const Call call = all_calls(5).back();
  const std::vector<Tensor> in = leaves({call.inputs[0], numbers({5}, 61)});
  NormStatistics without, with;
  Forward plain{.met = &without}, forward{.met = &with};
  const NormParams params;
  const Tensor expected = norm_pool(in[0], params, call.then, plain);
  const Tensor y = norm_pool(in[0], params, call.then, forward, in[1]);
  CHECK(torch::equal(y, expected));
  CHECK(difference(with[0].mean, without[0].mean + in[1].detach()) <= kSame);
  for (const bool create_graph : {false, true}) {
    const auto found = torch::autograd::grad({y.square().sum()}, {in[1]}, {}, true, create_graph);
    CHECK(torch::equal(found[0], torch::zeros({5}, torch::kDouble)));
  }
  const Tensor alone = norm_pool(call.inputs[0], params, call.then, plain, in[1]);
  CHECK(torch::equal(torch::autograd::grad({alone.sum()}, {in[1]})[0],
                     torch::zeros({5}, torch::kDouble)));
}

/// With the call's inputs, and as the last ones the statistics of a fixed mode and a bias that u
/// lacks.
std::vector<Tensor> with_statistics(const Call& call) {
  std::vector<Tensor> inputs = call.inputs;
  const int64_t tasks = inputs[0].size(0);
  inputs.push_back(numbers({tasks, 5}, 93));
  inputs.push_back(numbers({tasks, 5}, 94).abs() + 0.5);
  inputs.push_back(numbers({5}, 95));
  return inputs;
}

TEST_CASE(
    "running and given statistics normalise as in the plain composition, to the second derivative, "
    "of the statistics too") {
  for (const Call& call : all_calls(5)) {
    CAPTURE(call.name);
    const std::vector<Tensor> inputs = with_statistics(call);
    const size_t last = inputs.size() - 1;
    for (const NormMode mode : {NormMode::running, NormMode::given}) {
      const auto by = [&](bool fused) {
        return [&, fused](const std::vector<Tensor>& in) {
          NormParams params = call.params(in);
          params.running_mean = in[last - 2][0];
          params.running_var = in[last - 1][0];
          const NormStatistics met{{"n", in[last - 2], in[last - 1], 9}};
          Forward forward{.norm = mode, .given = &met};
          if (fused) return norm_pool(in[0], params, call.then, forward, in[last]);
          return norm_pool_plain(in[0] + in[last].view({5, 1, 1}), params, call.then, forward);
        };
      };
      const Derivatives one = derivatives(by(true), inputs), other = derivatives(by(false), inputs);
      CHECK(difference(one.values, other.values) <= kSame);
      for (size_t i = 0; i < inputs.size(); ++i) {
        CAPTURE(i);
        CHECK(difference(one.first[i], other.first[i]) <= 1e-9);
        CHECK(difference(one.second[i], other.second[i]) <= 1e-8);
      }
      const torch::NoGradGuard no_grad;  // another path
      CHECK(difference(by(true)(inputs), other.values) <= kSame);
    }
  }
}

TEST_CASE("statistics that stay part of the graph carry the gradients of what they normalise") {
  for (const Call& call : all_calls(5)) {
    CAPTURE(call.name);
    std::vector<Tensor> inputs = call.inputs;
    inputs.push_back(numbers(inputs[0].sizes().vec(), 96));
    const auto by = [&](auto normalise) {
      return [&, normalise](const std::vector<Tensor>& in) {
        NormStatistics met;
        Forward support{.met = &met, .differentiable_met = true};
        const Tensor first = normalise(in[0], call.params(in), support);
        Forward query{.norm = NormMode::given, .given = &met};
        return torch::cat({first, normalise(in.back(), call.params(in), query)}, 1);
      };
    };
    const Derivatives one =
        derivatives(by([&](const Tensor& u, const NormParams& params, Forward& forward) {
                      return norm_pool(u, params, call.then, forward);
                    }),
                    inputs);
    const Derivatives other =
        derivatives(by([&](const Tensor& u, const NormParams& params, Forward& forward) {
                      return norm_pool_plain(u, params, call.then, forward);
                    }),
                    inputs);
    CHECK(difference(one.values, other.values) <= kSame);
    for (size_t i = 0; i < inputs.size(); ++i) {
      CAPTURE(i);
      CHECK(difference(one.first[i], other.first[i]) <= 1e-9);
      CHECK(difference(one.second[i], other.second[i]) <= 1e-8);
    }
  }
}

TEST_CASE("what is not covered says so") {
  const Tensor u = torch::rand({1, 2, 5, 4, 4});
  CHECK(norm_pool_covers(u));
  CHECK(norm_pool_covers(u.to(torch::kDouble)));
  CHECK_FALSE(norm_pool_covers(u.to(torch::kHalf)));
  CHECK_FALSE(norm_pool_covers(u[0]));
  CHECK_FALSE(norm_pool_covers(u.narrow(1, 0, 0)));
}

TEST_CASE("a NaN among the images is not hidden by the maxima") {
  Tensor u = numbers({1, 2, 5, 4, 4}, 1);
  u[0][0][2][1][1] = std::numeric_limits<double>::quiet_NaN();
  Forward forward;
  NormParams params;
  const Tensor y = norm_pool(u, params, {.pool = true, .slope = 0}, forward);
  CHECK(y.select(2, 2).isnan().all().item<bool>());
  CHECK_FALSE(y.select(2, 1).isnan().any().item<bool>());
}

/// What all passes answer for one stack of images.
std::vector<float> all_passes(int64_t channels) {
  const ImageStack stack{.images = 2, .height = 5, .width = 4, .channels = channels, .pool = true};
  const auto values = [](int64_t count, uint64_t index) {
    const Tensor tensor = numbers({count}, index).to(torch::kFloat);
    return std::vector<float>(tensor.data_ptr<float>(), tensor.data_ptr<float>() + count);
  };
  const int64_t in = stack.images * stack.size(), out = stack.images * stack.out_size();
  const auto u = values(in, 1), gy = values(out, 2), scale = values(channels, 3),
             shift = values(channels, 4);
  std::vector<float> y(gy.size()), chosen(gy.size()), gu(u.size());
  std::vector<Choice> choice(gy.size());
  std::vector<double> first(scale.size()), second_sum(scale.size());
  const auto kernels = norm_pool_kernels<float>();
  std::vector<float> answer;
  kernels.moments(u.data(), in / channels, channels, first.data(), second_sum.data());
  answer.insert(answer.end(), first.begin(), first.end());
  answer.insert(answer.end(), second_sum.begin(), second_sum.end());
  kernels.forward(stack, u.data(), scale.data(), shift.data(), 0.1F, y.data(), choice.data());
  answer.insert(answer.end(), y.begin(), y.end());
  kernels.gather(stack, u.data(), choice.data(), chosen.data());
  answer.insert(answer.end(), chosen.begin(), chosen.end());
  kernels.sums(gy.data(), chosen.data(), choice.data(), out / channels, channels, shift.data(),
               0.1F, first.data(), second_sum.data());
  answer.insert(answer.end(), second_sum.begin(), second_sum.end());
  kernels.backward(stack, gy.data(), choice.data(), u.data(), shift.data(), scale.data(),
                   shift.data(), scale.data(), 0.1F, gu.data());
  answer.insert(answer.end(), gu.begin(), gu.end());
  kernels.scatter(stack, gy.data(), choice.data(), gu.data());
  answer.insert(answer.end(), gu.begin(), gu.end());

  const auto second = norm_pool_second_kernels<float>();
  const auto a = values(in, 5);
  const SecondInputs<float> inputs{u.data(),  shift.data(),  a.data(),
                                   gy.data(), choice.data(), 0.1F};
  std::vector<double> third(first.size());
  second.sums(stack, inputs, first.data(), second_sum.data(), third.data());
  for (const auto* sums : {&first, &second_sum, &third})
    answer.insert(answer.end(), sums->begin(), sums->end());
  const SecondFactors<float> factors{scale.data(), shift.data(), scale.data(), shift.data(),
                                     scale.data(), shift.data(), scale.data()};
  second.map(stack, inputs, factors, y.data(), gu.data());
  answer.insert(answer.end(), y.begin(), y.end());
  answer.insert(answer.end(), gu.begin(), gu.end());
  return answer;
}

TEST_CASE("every instruction set of this processor gives the same numbers") {
  for (const int64_t channels : {5, 37}) {
    test::check_every_instruction_set(1e-5F, [&] { return all_passes(channels); });
  }
}

}  // namespace kshot::norm_pool_test
