// Tables as one page of HTML.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/html_page.h"
#include "experiments/table/table_document.h"

namespace kshot {
namespace {

constexpr const char* kStyle = R"(
body { max-width: 90rem; }
table { font-size: .9rem; }
td { white-space: nowrap; }
td:last-child { white-space: normal; min-width: 9rem; }
td.number:last-child { white-space: nowrap; min-width: 0; }
.best { font-weight: 700; }
tbody th { color: inherit; font-weight: inherit; white-space: nowrap; }
tbody th.best { font-weight: 700; }
)";

std::string escaped(const std::string& text) { return with_replaced(html_escape(text), "+-", "±"); }

/// `<td class="number best">...</td>`.
std::string cell_of(const char* tag, const TableCell& cell, bool number) {
  std::string classes = number ? "number" : "";
  if (cell.best) classes += classes.empty() ? "best" : " best";
  const std::string attribute = classes.empty() ? "" : fmt::format(" class=\"{}\"", classes);
  const bool heading = std::string_view(tag) == "th";
  return fmt::format("<{}{}{}>{}</{}>", tag, heading ? " scope=\"row\"" : "", attribute,
                     escaped(cell.text), tag);
}

/// The first column of words names the row.
std::string row_of(const std::vector<TableColumn>& columns, size_t i) {
  std::string row;
  bool named = false;
  for (const TableColumn& column : columns) {
    const bool names = !named && !column.number;
    named = named || names;
    row += cell_of(names ? "th" : "td", column.cells[i], column.number);
  }
  return "<tr>" + row + "</tr>\n";
}

std::string table_of(const TableSection& section) {
  const auto columns = section.shown();
  std::string titles, rows;
  for (const TableColumn& column : columns) {
    titles += fmt::format("<th scope=\"col\"{}>{}</th>", column.number ? " class=\"number\"" : "",
                          escaped(column.title));
  }
  for (size_t i = 0; i < section.rows(); ++i) rows += row_of(columns, i);
  // A table that is wider than the screen is moved by keyboard, too.
  return fmt::format(
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n"
      "<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n",
      escaped(section.title), titles, rows);
}

std::string section_of(const TableSection& section) {
  std::string html = fmt::format("<h2>{}</h2>\n", escaped(section.title));
  if (!section.subtitle.empty())
    html += fmt::format("<p class=\"quiet\">{}</p>\n", escaped(section.subtitle));
  html += table_of(section);
  for (const TableList& list : section.lists) {
    html += fmt::format("<h3>{}</h3>\n<ul>\n", escaped(list.title));
    for (const std::string& item : list.items) html += fmt::format("<li>{}</li>\n", escaped(item));
    html += "</ul>\n";
  }
  std::vector<std::string> notes;
  for (const std::string& note : section.notes) notes.push_back(escaped(note));
  return html + fmt::format("<p class=\"quiet\">{}</p>\n", fmt::join(notes, "<br>\n"));
}

}  // namespace

std::string render_html(const TableDocument& document) {
  std::string body = fmt::format("<h1>{}</h1>\n", escaped(document.title));
  for (const TableSection& section : document.sections) body += section_of(section);
  for (const std::string& note : document.notes) body += fmt::format("<p>{}</p>\n", escaped(note));
  return html_page(document.title, body, kStyle);
}

}  // namespace kshot
