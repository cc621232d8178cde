// read_csv_vectors (vector_table.h).

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "datasets/outside_text.h"
#include "datasets/text_lines.h"
#include "datasets/vector_table.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {
namespace {

using Cells = std::vector<std::string>;

/// A whole cell as a number, NaN and infinity too; nothing where it is none.
std::optional<double> number_in(const std::string& cell) {
  double value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (end != cell.data() + cell.size() || problem == std::errc::invalid_argument)
    return std::nullopt;
  return problem == std::errc() ? value : std::numeric_limits<double>::infinity();
}

/// Which column holds the labels, and whether the first line is a header.
struct Layout {
  size_t columns = 0, label = 0;
  bool header = false;
};

size_t find_label(const Cells& first, const std::string& wanted, const std::string& where) {
  const auto found = std::find(first.begin(), first.end(), wanted);
  if (found == first.end()) {
    throw Error(Exit::bad_spec,
                "--label-column is \"{}\"; {} has no column of that name in its first line{}, "
                "expected one, or a number from 1 to {}",
                wanted, where, did_you_mean(wanted, first), first.size());
  }
  if (std::find(found + 1, first.end(), wanted) != first.end()) {
    throw Error(Exit::bad_spec, "--label-column is \"{}\"; {} has two columns of that name", wanted,
                where);
  }
  return static_cast<size_t>(found - first.begin());
}

/// A column's number, from 1; 0 where the text is no whole number.
size_t column_number(const std::string& text) {
  size_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() ? number : 0;
}

Layout layout_of(const Cells& first, const std::string& wanted, const std::string& where) {
  Layout layout{.columns = first.size(), .label = first.size() - 1};
  const size_t number = column_number(wanted);
  const bool by_name = !wanted.empty() && (number < 1 || number > first.size());
  if (by_name) {
    layout.label = find_label(first, wanted, where);
  } else if (!wanted.empty()) {
    layout.label = number - 1;
  }
  bool any_number = false;
  for (size_t i = 0; i < first.size(); ++i)
    any_number = any_number || (i != layout.label && number_in(first[i]).has_value());
  layout.header = by_name || !any_number;
  return layout;
}

class TableReader {
 public:
  TableReader(const std::filesystem::path& path, const std::string& label_column)
      : where_(path.string()), lines_(read_file(path)) {
    const Cells first = next_cells();
    if (first.size() < 2) {
      throw Error(Exit::bad_data,
                  "{}: {}, expected lines of numbers and a label, separated by commas", where_,
                  first.empty() ? "empty" : fmt::format("line {} has 1 cell", lines_.number()));
    }
    layout_ = layout_of(first, label_column, where_);
    table_.notes.push_back(note(first));
    if (!layout_.header) add(first);
  }

  VectorTable read() {
    for (Cells cells = next_cells(); !cells.empty(); cells = next_cells()) add(cells);
    if (table_.labels.empty())
      throw Error(Exit::bad_data, "{}: a header and no line of numbers below it", where_);
    table_.samples = torch::tensor(values_).view({static_cast<int64_t>(table_.labels.size()), -1});
    return std::move(table_);
  }

 private:
  /// The cells of the next line that has any.
  Cells next_cells() {
    while (const auto line = lines_.next()) {
      Cells cells = csv_cells(*line);
      for (std::string& cell : cells) cell = trimmed(cell);
      if (!cells.empty()) return cells;
    }
    return {};
  }

  std::string note(const Cells& first) const {
    if (!layout_.header) {
      return fmt::format("labels are column {} of {}; there is no header", layout_.label + 1,
                         layout_.columns);
    }
    return fmt::format("labels are column {} of {}, {}; line {} is a header", layout_.label + 1,
                       layout_.columns, in_quotes(first[layout_.label]), lines_.number());
  }

  void add(const Cells& cells) {
    if (cells.size() != layout_.columns) {
      throw Error(Exit::bad_data, "{}, line {}: {} cells, expected {}", where_, lines_.number(),
                  cells.size(), layout_.columns);
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i != layout_.label) values_.push_back(value(cells[i], i));
    }
    add_label(cells[layout_.label]);
  }

  float value(const std::string& cell, size_t column) const {
    const double number = number_in(cell).value_or(std::numeric_limits<double>::quiet_NaN());
    if (std::abs(number) <= std::numeric_limits<float>::max()) return static_cast<float>(number);
    throw Error(Exit::bad_data, "{}, line {}, column {}: {}, expected a finite number of 32 bits",
                where_, lines_.number(), column + 1, in_quotes(cell));
  }

  void add_label(const std::string& label) {
    if (label.empty() || !is_utf8(label)) {
      throw Error(Exit::bad_data, "{}, line {}, column {}: {}, expected a label in UTF-8", where_,
                  lines_.number(), layout_.label + 1, in_quotes(label));
    }
    table_.labels.push_back(label);
  }

  const std::string where_;
  TextLines lines_;
  Layout layout_;
  std::vector<float> values_;
  VectorTable table_;
};

}  // namespace

VectorTable read_csv_vectors(const std::filesystem::path& path, const std::string& label_column) {
  return TableReader(path, label_column).read();
}

}  // namespace kshot
