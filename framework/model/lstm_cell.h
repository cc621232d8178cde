#pragma once

#include "framework/base/rng.h"
#include "framework/model/task_ops.h"

/// A long short-term memory cell along the task axis (Hochreiter & Schmidhuber 1997, with forget
/// gates). F inputs, R recurrent inputs, H outputs; most often R = H.
namespace kshot {

/// Shared, or per task with one leading axis of size T. Rows come in PyTorch's order of gates:
/// input, forget, cell, output. Biases may be undefined.
struct LstmParams {
  Tensor input_weight;      ///< [4H,F]
  Tensor recurrent_weight;  ///< [4H,R]
  Tensor input_bias;        ///< [4H]
  Tensor recurrent_bias;    ///< [4H]
};

struct LstmState {
  Tensor output;  ///< h, [T,N,R] before a step and [T,N,H] after it
  Tensor cell;    ///< c, [T,N,H]
};

/// One step with inputs x [T,N,F]. R may differ from H where what recurs is more than the last
/// output, as in attention.
LstmState lstm_cell(const Tensor& x, const LstmState& state, const LstmParams& params);

/// Fresh parameters, called as torch.nn.LSTMCell calls them: weight_ih, weight_hh, bias_ih,
/// bias_hh; all are drawn from U(-1/sqrt(H), 1/sqrt(H)), as there.
ParamList lstm_init(int64_t inputs, int64_t recurrent_inputs, int64_t outputs, Stream stream);

/// The parameters of those names.
LstmParams lstm_params(const ParamList& params);

}  // namespace kshot
