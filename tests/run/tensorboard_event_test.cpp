#include "framework/run/tensorboard_event.h"

#include <doctest/doctest.h>

#include "tests/run/event_file.h"

namespace kshot::tensorboard_event_test {

using test::number_of;

uint32_t unmasked(uint32_t masked) {
  const uint32_t turned = masked - 0xa282ead8U;
  return turned >> 17 | turned << 15;
}

TEST_CASE("a record has the published CRC-32C of its bytes, masked") {
  // The check value of the algorithm's catalogue, and RFC 3720's example of 32 zeros.
  const std::vector<std::pair<std::string, uint32_t>> published{
      {"123456789", 0xe3069283U}, {std::string(32, '\0'), 0x8a9136aaU}, {"", 0}};
  for (const auto& [text, checksum] : published) {
    const std::string record = tf_record(text);
    REQUIRE(record.size() == 8 + 4 + text.size() + 4);
    CHECK(number_of<uint64_t>(record.substr(0, 8)) == text.size());
    CHECK(record.substr(12, text.size()) == text);
    CHECK(unmasked(number_of<uint32_t>(record.substr(12 + text.size()))) == checksum);
    CHECK(record.substr(8, 4) == tf_record(record.substr(0, 8)).substr(20));  // of the length
  }
}

TEST_CASE("messages are encoded as the protocol buffers' description says") {
  using namespace std::string_literals;
  // 1.5 as a double, then "brain.Event:2" in field 3; SessionLog{status: START} in field 7.
  const std::string time = "\x09\0\0\0\0\0\0\xf8\x3f"s;
  CHECK(version_record(1.5) == tf_record(time + "\x1a\x0d" + "brain.Event:2"));
  CHECK(restart_record(1.5) == tf_record(time + "\x3a\x02\x08\x01"));
  // Step 300 as a varint; two values, 2 and -0.5, as floats.
  CHECK(scalars_record(1.5, 300, {{"lr", 2}, {"a/b", -0.5}}) ==
        tf_record(time + "\x10\xac\x02" + "\x2a\x17" + "\x0a\x09\x0a\x02lr\x15\0\0\0\x40"s +
                  "\x0a\x0a\x0a\x03" + "a/b\x15\0\0\0\xbf"s));
}

TEST_CASE("tags longer than 127 bytes and large steps keep their length and value") {
  const std::string tag(300, 't');
  const std::string record = scalars_record(1e9 + 0.25, int64_t{1} << 40, {{tag, 1e-30F}});
  const test::ReadEvent event =
      test::read_event(std::string_view(record).substr(12, record.size() - 16));
  CHECK(event.wall_time == 1e9 + 0.25);
  CHECK(event.step == uint64_t{1} << 40);
  CHECK(event.scalars == std::map<std::string, float>{{tag, 1e-30F}});
}

}  // namespace kshot::tensorboard_event_test
