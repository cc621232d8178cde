// Tables for a paper, in LaTeX with booktabs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "experiments/table/table_document.h"

namespace kshot {
namespace {

/// One character that would mean something else to LaTeX.
std::string escaped(char c) {
  switch (c) {
    case '\\':
      return "\\textbackslash{}";
    case '~':
      return "\\textasciitilde{}";
    case '^':
      return "\\textasciicircum{}";
    case '<':
      return "$<$";
    case '>':
      return "$>$";
    case '|':
      return "$|$";
    default:
      break;
  }
  const bool special = std::string_view("&%$#_{}").find(c) != std::string_view::npos;
  return special ? std::string{'\\', c} : std::string{c};
}

/// Whether the '-' at this place is the sign of a number.
bool is_sign(const std::string& text, size_t at) {
  const bool begins = at == 0 || text[at - 1] == ' ' || text[at - 1] == '(';
  return begins && at + 1 < text.size() &&
         std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0;
}

std::string escaped(const std::string& text) {
  std::string result;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      result += quoted ? "''" : "``";
      quoted = !quoted;
    } else if (text.compare(i, 2, "+-") == 0) {
      result += "$\\pm$";
      ++i;
    } else if (text[i] == '-' && is_sign(text, i)) {
      result += "$-$";
    } else {
      result += escaped(text[i]);
      // Two hyphens would become a dash.
      if (text.compare(i, 2, "--") == 0) result += "{}";
    }
  }
  return result;
}

std::string cell_of(const TableCell& cell) {
  const std::string text = escaped(cell.text);
  return cell.best && !text.empty() ? "\\textbf{" + text + "}" : text;
}

std::string line_of(const std::vector<std::string>& cells) {
  return fmt::format("    {} \\\\\n", fmt::join(cells, " & "));
}

std::string comment(const std::string& text) { return "% " + text + "\n"; }

std::string section_of(const TableSection& section) {
  const auto columns = section.shown();
  std::string alignment, rows;
  std::vector<std::string> titles;
  for (const TableColumn& column : columns) {
    alignment += column.number ? 'r' : 'l';
    titles.push_back(escaped(column.title));
  }
  for (size_t i = 0; i < section.rows(); ++i) {
    std::vector<std::string> cells;
    for (const TableColumn& column : columns) cells.push_back(cell_of(column.cells[i]));
    rows += line_of(cells);
  }
  std::vector<std::string> caption{section.title + "."};
  caption.insert(caption.end(), section.notes.begin(), section.notes.end());
  std::string latex;
  if (!section.subtitle.empty()) latex += comment(section.subtitle);
  for (const TableList& list : section.lists) {
    latex += comment(list.title + ":");
    for (const std::string& item : list.items) latex += comment("  " + item);
  }
  return latex + fmt::format(
                     "\\begin{{table}}\n  \\centering\n  \\small\n  \\caption{{{}}}\n"
                     "  \\begin{{tabular}}{{{}}}\n    \\toprule\n{}    \\midrule\n{}"
                     "    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
                     escaped(fmt::format("{}", fmt::join(caption, " "))), alignment,
                     line_of(titles), rows);
}

}  // namespace

std::string render_latex(const TableDocument& document) {
  std::string latex = comment(document.title + "; needs \\usepackage{booktabs}");
  for (const std::string& note : document.notes) latex += comment(note);
  for (const TableSection& section : document.sections) latex += "\n" + section_of(section);
  return latex;
}

}  // namespace kshot
