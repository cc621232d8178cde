#include "framework/base/strict_json.h"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <vector>

namespace kshot {
namespace {

/// Thrown out of the parser, so that it stops there.
struct Problem {
  std::string text;
};

class Watch {
 public:
  explicit Watch(int depth) : depth_(depth) {}

  /// The parser's callback; `depth` counts the brackets around the value.
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= depth_) throw Problem{fmt::format("it is nested deeper than {} levels", depth_)};
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(value.get<std::string>()).second) {
      throw Problem{fmt::format("it has the key {} twice in one object", shown(value))};
    }
    return true;
  }

 private:
  int depth_;
  std::vector<std::set<std::string>> keys_;  // of each object that is open
};

}  // namespace

StrictJson parse_strict(std::string_view text, int depth) {
  const Json discarded(Json::value_t::discarded);
  if (text.find('\0') != std::string_view::npos) return {discarded, "it holds a NUL"};
  try {
    Watch watch(depth);
    Json value = Json::parse(text, std::ref(watch), /*allow_exceptions=*/false);
    if (value.is_discarded()) return {discarded, "it is not valid JSON"};
    return {std::move(value), ""};
  } catch (const Problem& problem) {
    return {discarded, problem.text};
  }
}

std::string shown(const Json& value) {
  constexpr size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // inside a character
  return text.substr(0, end) + "...";
}

}  // namespace kshot
