#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kshot {

/// What stands in a table's cell: text, which is escaped, or HTML that its maker escaped.
struct Cell {
  std::string html;

  Cell(std::string_view text);  // NOLINT(google-explicit-constructor): rows are lists of texts
  Cell(const std::string& text) : Cell(std::string_view(text)) {}  // NOLINT
  Cell(const char* text) : Cell(std::string_view(text)) {}         // NOLINT
  static Cell of_html(std::string html);
  /// A number beside a bar of that share, 0 to 1.
  static Cell of_bar(double share, std::string_view text);
};

/// A table for reading and for screen readers. A column without any content is left out.
class HtmlTable {
 public:
  struct Column {
    std::string title;
    bool number = false;
  };
  HtmlTable(std::string caption, std::vector<Column> columns)
      : caption_(std::move(caption)), columns_(std::move(columns)) {}

  /// As many cells as columns; the first is the row's heading.
  void row(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  /// Wide tables scroll by themselves, the page does not.
  std::string html() const;

 private:
  std::string caption_;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// A part of the page with a heading, which the contents at its top link to.
struct Section {
  std::string id, title, body;
};

std::string paragraph(std::string_view text, std::string_view css = "");
/// Folded away until asked for.
std::string folded(std::string_view summary, const std::string& body, bool open = false);
/// A chart with what it shows in words below it, where its axes do not say all.
std::string figure(const std::string& svg, std::string_view caption);

/// "1 run", "3 runs".
std::string counted(size_t count, std::string_view singular, std::string_view plural);

}  // namespace kshot
