#pragma once

#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "framework/base/atomic_file.h"
#include "framework/run/tensorboard_event.h"

namespace kshot::test {

/// One record of an event file, read back.
struct ReadEvent {
  double wall_time = 0;
  uint64_t step = 0;
  std::string version;
  bool restart = false;
  std::map<std::string, float> scalars;
};

/// Calls visit(field, bytes) for each field of a protocol buffer; the bytes of a number are those
/// it was written with.
template <class Visit>
void each_field(std::string_view message, Visit visit) {
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(0));
      message.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (!message.empty()) {
    const uint64_t key = varint();
    const std::map<uint64_t, size_t> sizes{{1, 8}, {5, 4}};
    std::string bytes;
    if (key % 8 == 0) {
      const uint64_t number = varint();
      bytes.assign(reinterpret_cast<const char*>(&number), sizeof number);
    } else {
      const size_t size = key % 8 == 2 ? varint() : sizes.at(key % 8);
      if (size > message.size()) throw std::runtime_error("a field beyond the message");
      bytes = message.substr(0, size);
      message.remove_prefix(size);
    }
    visit(key / 8, bytes);
  }
}

template <class T>
T number_of(std::string_view bytes) {
  T value;
  if (bytes.size() != sizeof value) throw std::runtime_error("a number of another size");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

inline ReadEvent read_event(std::string_view message) {
  ReadEvent event;
  each_field(message, [&](uint64_t field, const std::string& bytes) {
    if (field == 1) event.wall_time = number_of<double>(bytes);
    if (field == 2) event.step = number_of<uint64_t>(bytes);
    if (field == 3) event.version = bytes;
    if (field == 7) event.restart = true;
    if (field != 5) return;
    each_field(bytes, [&](uint64_t, const std::string& value) {
      std::string tag;
      each_field(value, [&](uint64_t part, const std::string& content) {
        if (part == 1) tag = content;
        if (part == 2) event.scalars[tag] = number_of<float>(content);
      });
    });
  });
  return event;
}

/// Every record of an event file. Throws std::runtime_error for a torn one.
inline std::vector<ReadEvent> read_event_file(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::string_view rest = text;
  std::vector<ReadEvent> events;
  while (!rest.empty()) {
    const auto length = number_of<uint64_t>(rest.substr(0, 8));
    const std::string_view message = rest.substr(12, length);
    const std::string record = tf_record(message);
    if (!rest.starts_with(record)) throw std::runtime_error("a torn record, or a wrong checksum");
    events.push_back(read_event(message));
    rest.remove_prefix(record.size());
  }
  return events;
}

}  // namespace kshot::test
