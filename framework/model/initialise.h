#pragma once

#include <string>
#include <vector>

#include "framework/base/rng.h"
#include "framework/model/params.h"

namespace kshot {

/// Random weights drawn from a Stream, element by element in row-major order, as float32: the same
/// bits on every device and with any number of threads.
Tensor uniform_tensor(const std::vector<int64_t>& shape, double bound, Stream stream);
Tensor normal_tensor(const std::vector<int64_t>& shape, double std, Stream stream);
/// What lies beyond two standard deviations is drawn again, as TensorFlow's truncated_normal does.
Tensor truncated_normal_tensor(const std::vector<int64_t>& shape, double std, Stream stream);

/// How the weights of a layer begin. Shapes [O,C,k,k] or [O,F]; fan_in = C k k or F,
/// fan_out = O k k or O.
///   pytorch:         U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too (torch.nn's default)
///   xavier_uniform:  U(+-sqrt(6 / (fan_in + fan_out))), biases 0 (Glorot & Bengio 2010)
///   xavier_normal:   N(0, 2 / (fan_in + fan_out)), biases 0
///   he_normal:       N(0, 2 / fan_in), biases 0 (He et al. 2015)
///   he_normal_fan_out: N(0, 2 / fan_out), biases 0 (residual networks, torchvision)
///   truncated_normal: N(0, 0.01^2), drawn again beyond two standard deviations, biases 0 (MAML's
///                    code, for sinusoids)
///   standard_normal: N(0, 1), biases 0 (MAML's code, for the head on Omniglot)
Tensor initial_weight(const std::string& scheme, const std::vector<int64_t>& shape, Stream stream);
Tensor initial_bias(const std::string& scheme, const std::vector<int64_t>& weight_shape,
                    Stream stream);

/// The schemes above, for `one_of` in an option.
const std::vector<std::string>& initial_schemes();

}  // namespace kshot
