#include "experiments/table/table_document.h"

#include <algorithm>

namespace kshot {

bool TableColumn::empty() const {
  return std::all_of(cells.begin(), cells.end(),
                     [](const TableCell& cell) { return cell.text.empty(); });
}

std::vector<TableColumn> TableSection::shown() const {
  std::vector<TableColumn> result;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(result),
               [](const TableColumn& column) { return !column.empty(); });
  return result;
}

std::string with_replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace kshot
