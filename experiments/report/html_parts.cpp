#include "experiments/report/html_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/html_page.h"

namespace kshot {
namespace {

/// Signs stay with their numbers at the end of a line.
std::string unbroken(std::string text) {
  constexpr std::string_view kSpace = "\u00a0";
  for (const std::string_view sign : {" %", "± "}) {
    for (size_t at = text.find(sign); at != std::string::npos; at = text.find(sign, at))
      text.replace(text.find(' ', at), 1, kSpace);
  }
  return text;
}

}  // namespace

Cell::Cell(std::string_view text) : html(html_escape(text)) {}

Cell Cell::of_html(std::string html) {
  Cell cell("");
  cell.html = std::move(html);
  return cell;
}

Cell Cell::of_bar(double share, std::string_view text) {
  return of_html(
      fmt::format("<span class=\"track\"><span style=\"width:{:.1f}%\"></span></span> {}",
                  100 * std::clamp(share, 0.0, 1.0), html_escape(text)));
}

void HtmlTable::row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }

std::string HtmlTable::html() const {
  std::vector<size_t> shown;
  for (size_t c = 0; c < columns_.size(); ++c) {
    if (std::any_of(rows_.begin(), rows_.end(),
                    [&](const std::vector<Cell>& row) { return !row[c].html.empty(); }))
      shown.push_back(c);
  }
  const auto css = [&](size_t c) { return columns_[c].number ? " class=\"number\"" : ""; };
  std::string text = fmt::format(
      "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\"><table>"
      "<caption>{0}</caption>\n<thead><tr>",
      html_escape(caption_));
  for (const size_t c : shown)
    text += fmt::format("<th scope=\"col\"{}>{}</th>", css(c), html_escape(columns_[c].title));
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows_) {
    text += "<tr>";
    for (const size_t c : shown) {
      text += c == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", css(c), row[c].html)
                     : fmt::format("<td{}>{}</td>", css(c), row[c].html);
    }
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string paragraph(std::string_view text, std::string_view css) {
  const std::string html = unbroken(html_escape(text));
  if (css.empty()) return fmt::format("<p>{}</p>\n", html);
  return fmt::format("<p class=\"{}\">{}</p>\n", css, html);
}

std::string folded(std::string_view summary, const std::string& body, bool open) {
  return fmt::format("<details{}><summary>{}</summary>\n{}</details>\n", open ? " open" : "",
                     html_escape(summary), body);
}

std::string figure(const std::string& svg, std::string_view caption) {
  if (caption.empty()) return "<figure>" + svg + "</figure>\n";
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n", svg, html_escape(caption));
}

std::string counted(size_t count, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", count, count == 1 ? singular : plural);
}

}  // namespace kshot
