#include "framework/base/strict_json.h"

#include <fmt/format.h>

#include <algorithm>
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

/// The line of the byte where a parser gave up.
int64_t line_of(std::string_view text, size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  return 1 + std::count(text.begin(), end, '\n');
}

}  // namespace

StrictJson parse_strict(std::string_view text, int depth, Comments comments) {
  const Json discarded(Json::value_t::discarded);
  if (text.find('\0') != std::string_view::npos) return {discarded, "it holds a NUL"};
  try {
    Watch watch(depth);
    return {Json::parse(text, std::ref(watch), /*allow_exceptions=*/true,
                        /*ignore_comments=*/comments == Comments::allowed),
            ""};
  } catch (const Problem& problem) {
    return {discarded, problem.text};
  } catch (const Json::parse_error& problem) {
    return {discarded, "it is not valid JSON", line_of(text, problem.byte)};
  } catch (const Json::out_of_range&) {
    return {discarded, "it holds a number that no double can hold"};
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
