#include "framework/model/lstm_cell.h"

#include <cmath>

#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::lstm_cell_test {

using test::derivative_errors;
using test::Derivatives;
using test::derivatives;
using test::difference;
using test::numbers;

constexpr double kSame = 1e-10;

/// in: x, h, c, then the four parameters, the biases perhaps missing. Output and cell beside each
/// other, so that both are looked at.
Tensor step(const std::vector<Tensor>& in) {
  LstmParams params{in[3], in[4], {}, {}};
  if (in.size() > 5) params.input_bias = in[5];
  if (in.size() > 6) params.recurrent_bias = in[6];
  const LstmState next = lstm_cell(in[0], {in[1], in[2]}, params);
  return torch::cat({next.output, next.cell}, -1);
}

/// T tasks, N = 4 rows, F = 3 inputs, R recurrent inputs, H = 2 outputs.
std::vector<Tensor> inputs_for(int64_t tasks, int64_t recurrent, bool own, bool bias = true) {
  const auto shape = [&](std::vector<int64_t> shared) {
    if (own) shared.insert(shared.begin(), tasks);
    return shared;
  };
  std::vector<Tensor> in{numbers({tasks, 4, 3}, 1), numbers({tasks, 4, recurrent}, 2),
                         numbers({tasks, 4, 2}, 3), numbers(shape({8, 3}), 4),
                         numbers(shape({8, recurrent}), 5)};
  if (bias) in.insert(in.end(), {numbers(shape({8}), 6), numbers(shape({8}), 7)});
  return in;
}

/// The same inputs, task by task; parameters are every task's own or shared by all.
Derivatives by_loop(const std::vector<Tensor>& at, bool own) {
  return derivatives(
      [&](const std::vector<Tensor>& in) {
        std::vector<Tensor> rows;
        for (int64_t t = 0; t < in[0].size(0); ++t) {
          std::vector<Tensor> of_task;
          for (size_t i = 0; i < in.size(); ++i)
            of_task.push_back(i < 3 ? in[i].narrow(0, t, 1) : own ? in[i].select(0, t) : in[i]);
          rows.push_back(step(of_task));
        }
        return torch::cat(rows, 0);
      },
      at);
}

TEST_CASE("an LSTM cell of all tasks equals a loop over tasks, to the second derivative") {
  for (const bool own : {false, true}) {
    for (const bool bias : {false, true}) {
      for (const int64_t recurrent : {2, 5}) {
        CAPTURE(own);
        CAPTURE(bias);
        CAPTURE(recurrent);
        const std::vector<Tensor> at = inputs_for(3, recurrent, own, bias);
        const Derivatives loop = by_loop(at, own), all = derivatives(step, at);
        CHECK(difference(all.values, loop.values) <= kSame);
        for (size_t i = 0; i < at.size(); ++i) {
          CAPTURE(i);
          CHECK(difference(all.first[i], loop.first[i]) <= kSame);
          CHECK(difference(all.second[i], loop.second[i]) <= kSame);
        }
      }
    }
  }
}

TEST_CASE("an LSTM cell's first and second derivatives agree with central differences") {
  for (const bool own : {false, true}) {
    const auto errors = derivative_errors(step, inputs_for(2, 5, own));
    CHECK(errors.first <= 1e-7);
    CHECK(errors.second <= 1e-7);
  }
}

TEST_CASE("an LSTM cell of one task equals LibTorch's") {
  const std::vector<Tensor> in = inputs_for(1, 2, false);
  const auto [output, cell] =
      at::lstm_cell(in[0][0], {in[1][0], in[2][0]}, in[3], in[4], in[5], in[6]);
  CHECK(difference(step(in)[0], torch::cat({output, cell}, -1)) <= 1e-14);
}

TEST_CASE("an LSTM cell: worked numbers") {
  // One number each. Gates 0, log 3, 0 and 0 by the biases: in 1/2, forget 3/4, candidate 0, out
  // 1/2; the cell 4 becomes 3, the output tanh(3) / 2.
  const Tensor zero = torch::zeros({4, 1}, torch::kDouble);
  const Tensor bias = torch::tensor({0.0, std::log(3.0), 0.0, 0.0}, torch::kDouble);
  const Tensor one = torch::ones({1, 1, 1}, torch::kDouble);
  const LstmState next = lstm_cell(one, {one, 4 * one}, {zero, zero, bias, {}});
  CHECK(std::abs(next.cell.item<double>() - 3) <= 1e-12);
  CHECK(std::abs(next.output.item<double>() - std::tanh(3.0) / 2) <= 1e-12);
}

TEST_CASE("fresh parameters have PyTorch's names, shapes and range") {
  const ParamList params = lstm_init(3, 5, 4, Stream(1, Purpose::initialisation, 0));
  REQUIRE(params.size() == 4);
  CHECK(params["weight_ih"].sizes() == torch::IntArrayRef({16, 3}));
  CHECK(params["weight_hh"].sizes() == torch::IntArrayRef({16, 5}));
  CHECK(params["bias_ih"].sizes() == torch::IntArrayRef({16}));
  CHECK(params["bias_hh"].sizes() == torch::IntArrayRef({16}));
  for (const Param& param : params) {
    CHECK(param.value.abs().max().item<float>() <= 0.5F);
    CHECK(param.value.abs().max().item<float>() > 0.3F);
  }
  CHECK_FALSE(torch::equal(params["bias_ih"], params["bias_hh"]));
  CHECK(lstm_params(params).recurrent_weight.is_same(params["weight_hh"]));
}

}  // namespace kshot::lstm_cell_test
