#include "datasets/text_lines.h"

#include <algorithm>

namespace kshot {

TextLines::TextLines(std::string text) : text_(std::move(text)) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
}

std::optional<std::string> TextLines::next() {
  if (at_ >= text_.size()) return std::nullopt;
  const size_t end = std::min(text_.find('\n', at_), text_.size());
  std::string line = text_.substr(at_, end - at_);
  while (line.ends_with('\r')) line.pop_back();
  at_ = end + 1;
  ++number_;
  return line;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

std::vector<std::string> csv_cells(const std::string& line) {
  if (trimmed(line).empty()) return {};
  std::vector<std::string> cells(1);
  bool inside = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && inside && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (line[i] == '"') {
      inside = !inside;
    } else if (line[i] == ',' && !inside) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  return cells;
}

}  // namespace kshot
