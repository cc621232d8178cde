// Tables in GitHub's Markdown.
#include <string_view>

#include "experiments/table/table_document.h"

namespace kshot {
namespace {

/// Text that stands for itself in a cell, a heading or an item.
std::string escaped(const std::string& text) {
  constexpr std::string_view kSpecial = R"(\`*_[]|<>~)";
  std::string result;
  for (const char c : text) {
    if (kSpecial.find(c) != kSpecial.npos) result += '\\';
    result += c;
  }
  return with_replaced(result, "+-", "±");
}

std::string cell_of(const TableCell& cell) {
  const std::string text = escaped(cell.text);
  return cell.best && !text.empty() ? "**" + text + "**" : text;
}

std::string table_of(const TableSection& section) {
  const auto columns = section.shown();
  std::string titles = "|", rule = "|", rows;
  for (const TableColumn& column : columns) {
    titles += " " + escaped(column.title) + " |";
    rule += column.number ? " ---: |" : " --- |";
  }
  for (size_t i = 0; i < section.rows(); ++i) {
    rows += "|";
    for (const TableColumn& column : columns) rows += " " + cell_of(column.cells[i]) + " |";
    rows += "\n";
  }
  return titles + "\n" + rule + "\n" + rows;
}

}  // namespace

std::string render_markdown(const TableDocument& document) {
  std::string text = "# " + escaped(document.title) + "\n";
  for (const TableSection& section : document.sections) {
    text += "\n## " + escaped(section.title) + "\n\n";
    if (!section.subtitle.empty()) text += escaped(section.subtitle) + "\n\n";
    text += table_of(section);
    for (const TableList& list : section.lists) {
      text += "\n" + escaped(list.title) + ":\n\n";
      for (const std::string& item : list.items) text += "- " + escaped(item) + "\n";
    }
    for (const std::string& note : section.notes) text += "\n" + escaped(note) + "\n";
  }
  for (const std::string& note : document.notes) text += "\n" + escaped(note) + "\n";
  return text;
}

}  // namespace kshot
