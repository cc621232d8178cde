#include "datasets/text_lines.h"

#include "datasets/outside_text.h"
#include "tests/doctest_torch.h"

namespace kshot::text_lines_test {

namespace {

using Words = std::vector<std::string>;

Words lines_of(const std::string& text) {
  TextLines lines(text);
  Words all;
  while (const auto line = lines.next()) all.push_back(*line);
  CHECK(lines.number() == static_cast<int64_t>(all.size()));
  return all;
}

}  // namespace

TEST_CASE("lines are the same from every system, with or without a last line break") {
  const Words expected{"a", "", "b c"};
  for (const char* text : {"a\n\nb c\n", "a\n\nb c", "a\r\n\r\nb c\r\n",
                           "\xef\xbb\xbf"
                           "a\n\nb c"})
    CHECK(lines_of(text) == expected);
  CHECK(lines_of("").empty());
  CHECK(lines_of("\n") == Words{""});
}

TEST_CASE("cells in quotes hold commas and quotes; blank lines have no cells") {
  CHECK(csv_cells("a,b,,c") == Words{"a", "b", "", "c"});
  CHECK(csv_cells("\"a, b\",\"say \"\"yes\"\"\"") == Words{"a, b", "say \"yes\""});
  CHECK(csv_cells("").empty());
  CHECK(csv_cells(" \t").empty());
  CHECK(csv_cells(",") == Words{"", ""});
  CHECK(trimmed(" \ta b ") == "a b");
  CHECK(trimmed("  ").empty());
}

TEST_CASE("text from outside is shown on one line, cut, and in UTF-8") {
  CHECK(in_quotes("a\nb") == "\"a\\nb\"");
  CHECK(in_quotes(std::string(100, 'x'), 5) == "\"xxxxx...\"");
  CHECK(in_quotes("\xc3\xa9") == "\"\xc3\xa9\"");
  CHECK(is_utf8("\xc3\xa9"));
  CHECK_FALSE(is_utf8("\xe9"));
  CHECK(is_utf8(in_quotes("\xe9")));
}

}  // namespace kshot::text_lines_test
