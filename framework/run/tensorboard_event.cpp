#include "framework/run/tensorboard_event.h"

#include <boost/crc.hpp>

namespace kshot {
namespace {

/// Little-endian, as both formats are and the machines that LibTorch's wheel is for.
template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A protocol buffer's wire format: each field is a key, number and kind in one, then its value.
/// Written by hand, since four messages of two or three fields are all there is to write.
class Message {
 public:
  Message& integer(int field, uint64_t value) { return key(field, 0).varint(value); }
  Message& real64(int field, double value) { return key(field, 1).raw(bytes_of(value)); }
  Message& real32(int field, float value) { return key(field, 5).raw(bytes_of(value)); }
  /// Text, or a message inside this one.
  Message& block(int field, std::string_view value) {
    return key(field, 2).varint(value.size()).raw(value);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Message& key(int field, int kind) { return varint(static_cast<uint64_t>(field << 3 | kind)); }
  Message& varint(uint64_t value) {
    for (; value > 0x7f; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
    return *this;
  }
  Message& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }

  std::string bytes_;
};

// Fields of tensorboard's event.proto and summary.proto.
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;  // Event
constexpr int kSummaryValue = 1;                                                          // Summary
constexpr int kTag = 1, kSimpleValue = 2;            // its Value
constexpr int kSessionStatus = 1, kStatusStart = 1;  // SessionLog

/// A checksum over bytes that hold checksums themselves would be weak, says the format, and masks.
uint32_t masked_crc32c(std::string_view data) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;  // Castagnoli's
  crc.process_bytes(data.data(), data.size());
  const auto sum = static_cast<uint32_t>(crc.checksum());
  return (sum >> 15 | sum << 17) + 0xa282ead8U;
}

}  // namespace

std::string tf_record(std::string_view data) {
  const std::string length = bytes_of(uint64_t{data.size()});
  std::string record = length + bytes_of(masked_crc32c(length));
  record += data;
  return record + bytes_of(masked_crc32c(data));
}

std::string version_record(double wall_time) {
  return tf_record(
      Message().real64(kWallTime, wall_time).block(kFileVersion, "brain.Event:2").bytes());
}

std::string restart_record(double wall_time) {
  const Message start = Message().integer(kSessionStatus, kStatusStart);
  return tf_record(
      Message().real64(kWallTime, wall_time).block(kSessionLog, start.bytes()).bytes());
}

std::string scalars_record(double wall_time, int64_t step, const std::vector<Scalar>& scalars) {
  Message summary;
  for (const Scalar& scalar : scalars) {
    const Message value = Message().block(kTag, scalar.tag).real32(kSimpleValue, scalar.value);
    summary.block(kSummaryValue, value.bytes());
  }
  return tf_record(Message()
                       .real64(kWallTime, wall_time)
                       .integer(kStep, static_cast<uint64_t>(step))
                       .block(kSummary, summary.bytes())
                       .bytes());
}

}  // namespace kshot
