#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kshot {

/// One curve's value at a step; TensorBoard holds scalars in single precision.
struct Scalar {
  std::string tag;
  float value;
};

/// Bytes framed as a TFRecord: length (8 bytes), its masked CRC-32C, the bytes, theirs.
std::string tf_record(std::string_view data);

/// Records of a TensorBoard event file, each a protocol buffer `Event`. Wall times are seconds
/// since 1970.
/// What a file begins with.
std::string version_record(double wall_time);
/// Takes back every point of the run's earlier files.
std::string restart_record(double wall_time);
std::string scalars_record(double wall_time, int64_t step, const std::vector<Scalar>& scalars);

}  // namespace kshot
