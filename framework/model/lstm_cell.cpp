#include "framework/model/lstm_cell.h"

#include <cmath>

#include "framework/model/initialise.h"

namespace kshot {

LstmState lstm_cell(const Tensor& x, const LstmState& state, const LstmParams& params) {
  const Tensor gates = linear(x, params.input_weight, params.input_bias) +
                       linear(state.output, params.recurrent_weight, params.recurrent_bias);
  const std::vector<Tensor> each = gates.chunk(4, -1);
  const Tensor in = torch::sigmoid(each[0]), forget = torch::sigmoid(each[1]),
               candidate = torch::tanh(each[2]), out = torch::sigmoid(each[3]);
  const Tensor cell = forget * state.cell + in * candidate;
  return {out * torch::tanh(cell), cell};
}

ParamList lstm_init(int64_t inputs, int64_t recurrent_inputs, int64_t outputs, Stream stream) {
  const double bound = 1 / std::sqrt(static_cast<double>(outputs));
  const int64_t rows = 4 * outputs;
  ParamList params;
  params.add({"weight_ih", uniform_tensor({rows, inputs}, bound, stream.split(0))});
  params.add({"weight_hh", uniform_tensor({rows, recurrent_inputs}, bound, stream.split(1))});
  params.add({"bias_ih", uniform_tensor({rows}, bound, stream.split(2))});
  params.add({"bias_hh", uniform_tensor({rows}, bound, stream.split(3))});
  return params;
}

LstmParams lstm_params(const ParamList& params) {
  return {.input_weight = params["weight_ih"],
          .recurrent_weight = params["weight_hh"],
          .input_bias = params["bias_ih"],
          .recurrent_bias = params["bias_hh"]};
}

}  // namespace kshot
