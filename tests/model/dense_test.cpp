#include "framework/model/dense.h"

#include "framework/model/dense_kernels.h"
#include "tests/doctest_torch.h"
#include "tests/model/instruction_sets.h"
#include "tests/model/numbers.h"

namespace kshot::dense_test {

using test::Derivatives;
using test::derivatives;
using test::difference;
using test::numbers;

struct Call {
  std::string name;
  std::vector<Tensor> inputs;  ///< x, weight and perhaps bias
  bool relu;

  Tensor by(Kernels kernels, const std::vector<Tensor>& in) const {
    const Forward forward{.kernels = kernels};
    return dense(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), relu, "layer", forward);
  }
};

/// Narrow and wide layers, shared parameters and each task's own, with and without bias and ReLU.
std::vector<Call> all_calls() {
  std::vector<Call> calls;
  uint64_t index = 0;
  for (const auto& [inputs, outputs] : {std::pair{1, 40}, std::pair{40, 40}, std::pair{40, 1},
                                        std::pair{17, 5}, std::pair{5, 33}}) {
    for (const int64_t tasks : {1, 3}) {
      const bool own = ++index % 2 == 0, bias = index % 3 != 0, relu = index % 4 != 0;
      std::vector<int64_t> weight{outputs, inputs}, shift{outputs};
      if (own) weight.insert(weight.begin(), tasks);
      if (own) shift.insert(shift.begin(), tasks);
      Call call{fmt::format("{} to {}, {} tasks, own {}, bias {}, ReLU {}", inputs, outputs, tasks,
                            own, bias, relu),
                {numbers({tasks, 4, inputs}, 10 * index), numbers(weight, 10 * index + 1)},
                relu};
      if (bias) call.inputs.push_back(numbers(shift, 10 * index + 2));
      calls.push_back(call);
    }
  }
  return calls;
}

void check_same(const Derivatives& fast, const Derivatives& plain) {
  CHECK(difference(fast.values, plain.values) <= 1e-10);
  for (size_t i = 0; i < plain.first.size(); ++i) {
    CAPTURE(i);
    CHECK(difference(fast.first[i], plain.first[i]) <= 1e-10);
    CHECK(difference(fast.second[i], plain.second[i]) <= 1e-9);
    CHECK(plain.second[i].abs().max().item<double>() > 1e-3);
  }
}

TEST_CASE("a fused layer equals the plain composition, to the second derivative") {
  for (const Call& call : all_calls()) {
    CAPTURE(call.name);
    const auto of = [&](Kernels kernels) {
      return derivatives([&](const auto& in) { return call.by(kernels, in); }, call.inputs);
    };
    check_same(of(Kernels::fast), of(Kernels::reference));
    // Without a gradient of x, as a first layer has none.
    const auto of_params = [&](Kernels kernels) {
      return derivatives(
          [&](const std::vector<Tensor>& params) {
            std::vector<Tensor> in{call.inputs[0]};
            in.insert(in.end(), params.begin(), params.end());
            return call.by(kernels, in);
          },
          {call.inputs.begin() + 1, call.inputs.end()});
    };
    check_same(of_params(Kernels::fast), of_params(Kernels::reference));
  }
}

TEST_CASE("third derivatives go through as well") {
  for (const Call& call : all_calls()) {
    CAPTURE(call.name);
    const auto third = [&](Kernels kernels) {
      return derivatives(
          [&](const std::vector<Tensor>& in) {
            return test::gradients(call.by(kernels, in).pow(3).sum(), {in[0]}, true)[0];
          },
          call.inputs);
    };
    const Derivatives one = third(Kernels::fast), other = third(Kernels::reference);
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      CAPTURE(i);
      const double size = 1 + other.second[i].abs().max().item<double>();
      CHECK(difference(one.first[i], other.first[i]) <= 1e-9 * size);
      CHECK(difference(one.second[i], other.second[i]) <= 1e-9 * size);
    }
  }
}

TEST_CASE("in float32 values and gradients agree to 1e-5 of their norm") {
  for (const Call& call : all_calls()) {
    CAPTURE(call.name);
    std::vector<Tensor> single;
    for (const Tensor& input : call.inputs) single.push_back(input.to(torch::kFloat));
    const auto of = [&](Kernels kernels) {
      const std::vector<Tensor> in = test::leaves(single);
      const Tensor y = call.by(kernels, in);
      auto found =
          test::gradients((y * numbers(y.sizes().vec(), 7).to(torch::kFloat)).sum(), in, false);
      found.push_back(y.detach());
      return found;
    };
    const auto fast = of(Kernels::fast), plain = of(Kernels::reference);
    for (size_t i = 0; i < fast.size(); ++i)
      CHECK((fast[i] - plain[i]).norm().item<double>() <= 1e-5 * plain[i].norm().item<double>());
  }
}

TEST_CASE("the bits depend neither on intra-op threads nor on the tasks beside it") {
  const Tensor x = numbers({30, 10, 40}, 1).to(torch::kFloat),
               weight = numbers({30, 40, 40}, 2).to(torch::kFloat);
  const Forward forward{.kernels = Kernels::fast};
  const auto all = [&](const Tensor& inputs, const Tensor& own) {
    const std::vector<Tensor> in = test::leaves({inputs, own});
    const Tensor y = dense(in[0], in[1], {}, true, "layer", forward);
    auto found = test::gradients(y.square().sum(), in, false);
    found.push_back(y.detach());
    return found;
  };
  const auto one_thread = all(x, weight);
  at::set_num_threads(2);
  const auto two_threads = all(x, weight);
  at::set_num_threads(1);
  const auto alone = all(x.narrow(0, 7, 1), weight.narrow(0, 7, 1));
  for (size_t i = 0; i < one_thread.size(); ++i) {
    CAPTURE(i);
    CHECK(torch::equal(one_thread[i], two_threads[i]));
    CHECK(torch::equal(alone[i][0], one_thread[i][7]));
  }
}

TEST_CASE("a layer says what computed it; very wide ones are LibTorch's") {
  PathLog paths;
  const Forward fast{.kernels = Kernels::fast, .paths = &paths}, reference{.paths = &paths};
  const Tensor x = torch::rand({1, 2, 600});
  dense(x.narrow(2, 0, 3), torch::rand({4, 3}), {}, true, "narrow", fast);
  dense(x, torch::rand({4, 600}), {}, true, "wide", fast);
  dense(x, torch::rand({4, 600}), {}, true, "narrow", reference);
  REQUIRE(paths.layers().size() == 2);
  CHECK(paths.layers()[0].paths == std::vector<std::string>{"fused", "reference"});
  CHECK(paths.layers()[1].paths == std::vector<std::string>{"reference"});
}

std::vector<float> floats(int64_t count, uint64_t index) {
  const Tensor tensor = numbers({count}, index).to(torch::kFloat);
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + count};
}

std::vector<float> all_kernels(const DenseShape& shape) {
  const int64_t in = shape.samples * shape.inputs, out = shape.samples * shape.outputs,
                pairs = shape.inputs * shape.outputs;
  const auto x = floats(in, 1), w = floats(pairs, 2), b = floats(shape.outputs, 3),
             g = floats(out, 4), a = floats(in, 5), q = floats(pairs, 6);
  std::vector<float> scratch(static_cast<size_t>(shape.scratch())), y(g.size()), gx(x.size()),
      gw(w.size()), gb(b.size());
  std::vector<float> answer;
  const auto keep = [&](std::initializer_list<const std::vector<float>*> values) {
    for (const auto* each : values) answer.insert(answer.end(), each->begin(), each->end());
  };
  const auto kernels = dense_kernels<float>();
  kernels.forward(shape, x.data(), w.data(), b.data(), true, scratch.data(), y.data());
  kernels.backward(shape, g.data(), y.data(), x.data(), w.data(), scratch.data(), gx.data(),
                   gw.data(), gb.data());
  keep({&y, &gx, &gw, &gb});
  std::vector<float> to_g(g.size());
  kernels.second(shape, a.data(), q.data(), b.data(), g.data(), y.data(), x.data(), w.data(),
                 scratch.data(), to_g.data(), gx.data(), gw.data());
  keep({&to_g, &gx, &gw});
  return answer;
}

TEST_CASE("every instruction set of this processor gives the same layer") {
  for (const DenseShape& shape : {DenseShape{5, 19, 37}, DenseShape{3, 40, 2}}) {
    test::check_every_instruction_set(1e-4F, [&] { return all_kernels(shape); });
  }
}

}  // namespace kshot::dense_test
