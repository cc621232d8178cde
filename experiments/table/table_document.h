#pragma once

#include <string>
#include <vector>

namespace kshot {

struct TableCell {
  std::string text;   ///< plain; "+-" stands for the sign
  bool best = false;  ///< set in bold
};

/// One column: its title and a cell for each row.
struct TableColumn {
  std::string title;
  std::vector<TableCell> cells = {};
  bool number = true;  ///< stands to the right

  bool empty() const;
};

struct TableList {
  std::string title;
  std::vector<std::string> items = {};
};

/// One table with what is said around it.
struct TableSection {
  std::string title;
  std::string subtitle = {};
  std::vector<TableColumn> columns = {};  ///< those without any content are not shown
  std::vector<TableList> lists = {};
  std::vector<std::string> notes = {};  ///< sentences

  std::vector<TableColumn> shown() const;
  size_t rows() const { return columns.empty() ? 0 : columns[0].cells.size(); }
};

/// What is to be read, computed once; the renderers only draw it.
struct TableDocument {
  std::string title = {};
  std::vector<TableSection> sections = {};
  std::vector<std::string> notes = {};  ///< on all of it
};

/// For a terminal; with `bold`, best cells are set in bold by escape codes.
std::string render_text(const TableDocument& document, bool bold);
/// GitHub's Markdown.
std::string render_markdown(const TableDocument& document);
/// A whole page that needs nothing from outside.
std::string render_html(const TableDocument& document);
/// Table environments to be pasted into a paper; they need the package booktabs.
std::string render_latex(const TableDocument& document);

/// The text with every `what` replaced.
std::string with_replaced(std::string text, const std::string& what, const std::string& by);

}  // namespace kshot
