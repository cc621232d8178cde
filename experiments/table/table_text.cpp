// Tables for a terminal.
#include <fmt/format.h>

#include <algorithm>

#include "experiments/command_line.h"
#include "experiments/table/table_document.h"

namespace kshot {
namespace {

size_t width_of(const TableColumn& column) {
  size_t widest = text_width(column.title);
  for (const TableCell& cell : column.cells) widest = std::max(widest, text_width(cell.text));
  return widest;
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string space(width - text_width(text), ' ');
  return right ? space + text : text + space;
}

/// One line; best cells side by side are set in bold together.
std::string line_of(const std::vector<TableCell>& cells, bool bold) {
  std::string line;
  bool on = false;
  for (const TableCell& cell : cells) {
    if (bold && cell.best != on) {
      line += cell.best ? "\033[1m" : "\033[0m";
      on = cell.best;
    }
    line += cell.text;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return on ? line + "\033[0m" : line;
}

std::string table_of(const TableSection& section, bool bold) {
  const std::vector<TableColumn> columns = section.shown();
  std::string text;
  for (size_t i = 0; i <= section.rows(); ++i) {
    std::vector<TableCell> cells;
    for (const TableColumn& column : columns) {
      TableCell cell = i == 0 ? TableCell{column.title} : column.cells[i - 1];
      cell.text = padded(cell.text, width_of(column), column.number) + "   ";
      cells.push_back(std::move(cell));
    }
    text += line_of(cells, bold) + "\n";
  }
  return text;
}

std::string section_of(const TableSection& section, bool bold) {
  std::string text = section.title + "\n";
  if (!section.subtitle.empty()) text += section.subtitle + "\n";
  text += "\n" + table_of(section, bold) + "\n";
  for (const TableList& list : section.lists) {
    text += list.title + ":\n";
    for (const std::string& item : list.items) text += "  " + item + "\n";
  }
  if (!section.lists.empty()) text += "\n";
  for (const std::string& note : section.notes) text += note + "\n";
  return text;
}

}  // namespace

std::string render_text(const TableDocument& document, bool bold) {
  std::string text;
  for (const TableSection& section : document.sections)
    text += (text.empty() ? "" : "\n\n") + section_of(section, bold);
  if (!document.notes.empty()) text += "\n";
  for (const std::string& note : document.notes) text += note + "\n";
  return text;
}

}  // namespace kshot
