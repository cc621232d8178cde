#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kshot {

/// Text, a line at a time, whatever system it was written on: a byte order mark and carriage
/// returns are passed over.
class TextLines {
 public:
  explicit TextLines(std::string text);

  /// The next line, which may be empty; nothing at the end.
  std::optional<std::string> next();
  /// Of the line that next() gave last, from 1.
  int64_t number() const { return number_; }

 private:
  std::string text_;
  size_t at_ = 0;
  int64_t number_ = 0;
};

/// The cells of a line of comma-separated text; a cell in quotes may hold commas, and quotes
/// doubled. A blank line has none.
std::vector<std::string> csv_cells(const std::string& line);

/// Without spaces and tabs at either end.
std::string trimmed(const std::string& text);

}  // namespace kshot
