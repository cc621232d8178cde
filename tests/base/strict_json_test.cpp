#include "framework/base/strict_json.h"

#include <doctest/doctest.h>

namespace kshot::strict_json_test {

std::string nested(const std::string& open, int count, const std::string& close) {
  std::string text;
  for (int i = 0; i < count; ++i) text += open;
  for (int i = 0; i < count; ++i) text += close;
  return text;
}

void check_refused(std::string_view text, const std::string& problem, int depth = 64) {
  const StrictJson read = parse_strict(text, depth);
  CAPTURE(read.problem);
  CHECK(read.value.is_discarded());
  CHECK(read.problem.find(problem) != std::string::npos);
}

TEST_CASE("what is allowed is read as the library reads it") {
  for (const std::string text : {"{}", "[]", "null", "1", "\"a\"",
                                 " {\"a\": [1, {\"a\": 2, \"b\": -0.5}], \"b\": \"\\u00fc\"} ",
                                 "[{\"a\":1},{\"a\":1}]", "{\"a\":{\"a\":{\"a\":1}}}"}) {
    CAPTURE(text);
    const StrictJson read = parse_strict(text);
    CHECK(read.problem.empty());
    CHECK(read.value == Json::parse(text));
  }
}

TEST_CASE("what is no JSON is refused") {
  for (const char* text : {"", "{", "{}}", "[1,]", "nul", "\"\xff\"", "{\"a\":NaN}", "\"\\ud800\"",
                           "{'a':1}", "// comment\n1"}) {
    CAPTURE(text);
    check_refused(text, "not valid JSON");
  }
}

TEST_CASE("brackets may be nested as deep as is allowed, and no deeper") {
  CHECK(parse_strict(nested("[", 3, "]"), 3).problem.empty());
  CHECK(parse_strict("[[1,[2]],[[3],{}]]", 3).problem.empty());
  check_refused(nested("[", 4, "]"), "nested deeper than 3 levels", 3);
  check_refused("{\"a\":{\"b\":[{}]}}", "nested deeper than 3 levels", 3);
  CHECK(parse_strict(nested("[", 64, "]")).problem.empty());
  check_refused(nested("[", 65, "]"), "nested deeper than 64 levels");
  for (const std::string open : {"[", "{\"a\":"}) {
    check_refused(nested(open, 1000000, ""), "nested deeper");
    check_refused(nested(open, 1000000, "]"), "nested deeper");
  }
}

TEST_CASE("a key may stand in many objects, but once in each") {
  check_refused("{\"a\":1,\"b\":2,\"a\":1}", "it has the key \"a\" twice in one object");
  check_refused("[{\"b\":{\"a\":{},\"\\u0061\":1}}]", "the key \"a\" twice");
  check_refused("{\"a\":{\"a\":1},\"a\":1}", "the key \"a\" twice");
}

TEST_CASE("nothing hides behind a NUL") {
  using namespace std::string_view_literals;
  check_refused("{}\0"sv, "NUL");
  check_refused("{}\0{\"a\":1}"sv, "NUL");
  check_refused("\0"sv, "NUL");
  CHECK(parse_strict("\"\\u0000\"").problem.empty());
}

TEST_CASE("comments pass where they are allowed; what is no JSON is told with its line") {
  const char* text = "{ // one\n\"a\": 1 /* two */ }";
  check_refused(text, "not valid JSON");
  CHECK(parse_strict(text, 4, Comments::allowed).value == Json{{"a", 1}});
  CHECK(parse_strict("{\n\"a\":\n}").line == 3);
  CHECK(parse_strict("{\"a\": 1, \"a\": 2}").line == 0);
}

TEST_CASE("a number that no double can hold is refused") {
  check_refused("{\"a\": 1e999}", "no double");
  CHECK(parse_strict("1e308").value == 1e308);
}

TEST_CASE("a message shows the beginning of a long text, in whole characters, on one line") {
  CHECK(shown("a\nb") == "\"a\\nb\"");
  CHECK(shown(Json::array({1, "x"})) == "[1,\"x\"]");
  const std::string exact(58, 'x');
  CHECK(shown(exact) == "\"" + exact + "\"");
  CHECK(shown(exact + "x") == "\"" + exact + "x...");
  for (const std::string before : {"", "a", "aa"}) {
    std::string text = before;
    for (int i = 0; i < 100; ++i) text += "€";  // three bytes
    const std::string message = shown(text);
    CHECK(message.size() <= 63);
    CHECK_NOTHROW(Json(message).dump());  // throws at half a character
  }
}

}  // namespace kshot::strict_json_test
