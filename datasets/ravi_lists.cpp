#include "datasets/ravi_lists.h"

#include <algorithm>
#include <regex>
#include <set>

#include "datasets/folder_listing.h"
#include "datasets/outside_text.h"
#include "datasets/text_lines.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kLongestName = 80;  // what a regular expression is asked to look at

void check_row(const std::vector<std::string>& cells, const std::string& where) {
  static const std::regex label(R"(n\d{8})"), file(R"((n\d{8})\d{8}\.(jpg|jpeg|png|JPEG))");
  if (cells.size() != 2)
    throw Error(Exit::bad_data, "{}: {} cells, expected 2", where, cells.size());
  if (cells[1].size() > kLongestName || !std::regex_match(cells[1], label)) {
    throw Error(Exit::bad_data, "{}: label {}, expected a WordNet id like n01532829", where,
                in_quotes(cells[1]));
  }
  std::smatch match;
  if (cells[0].size() > kLongestName || !std::regex_match(cells[0], match, file) ||
      match[1] != cells[1]) {
    throw Error(Exit::bad_data, "{}: filename {}, expected a name like {}00000005.jpg", where,
                in_quotes(cells[0]), cells[1]);
  }
}

void read_list(const std::filesystem::path& path, const std::string& split,
               ListedClasses& classes) {
  TextLines lines(read_file(path));
  const std::string header = lines.next().value_or("");
  if (csv_cells(header) != std::vector<std::string>{"filename", "label"}) {
    throw Error(Exit::bad_data, "{}: the first line is {}, expected filename,label", path.string(),
                in_quotes(header));
  }
  while (const auto line = lines.next()) {
    const std::vector<std::string> cells = csv_cells(*line);
    if (cells.empty()) continue;
    const std::string where = fmt::format("{}, line {}", path.string(), lines.number());
    check_row(cells, where);
    const auto [entry, is_new] = classes.emplace(cells[1], ListedClass{split, {}});
    if (entry->second.split != split) {
      throw Error(Exit::bad_data, "{}: class {} stands in the list of {} too", where, cells[1],
                  entry->second.split);
    }
    entry->second.files.push_back(cells[0]);
  }
}

void sort_files(const std::string& name, ListedClass& listed) {
  std::vector<std::string>& files = listed.files;
  std::sort(files.begin(), files.end());
  const auto twice = std::adjacent_find(files.begin(), files.end());
  if (twice != files.end()) {
    throw Error(Exit::bad_data, "the {} list of mini-ImageNet names {} of class {} twice",
                listed.split, *twice, name);
  }
}

}  // namespace

ListedClasses read_ravi_lists(const std::vector<std::filesystem::path>& lists) {
  std::map<std::string, std::filesystem::path> by_split;
  for (const std::filesystem::path& list : lists) {
    const auto split = canonical_split(list.stem().string());
    if (!split) {
      throw Error(Exit::bad_data, "{}: expected a list called train.csv, val.csv or test.csv",
                  list.string());
    }
    const auto [entry, is_new] = by_split.emplace(*split, list);
    if (!is_new) {
      throw Error(Exit::bad_data, "two lists of {} are given, expected one: {} and {}", *split,
                  entry->second.string(), list.string());
    }
  }
  ListedClasses classes;
  for (const char* split : {"train", "validation", "test"}) {
    const auto found = by_split.find(split);
    if (found == by_split.end()) {
      throw Error(Exit::bad_data,
                  "the {} list of mini-ImageNet is neither in the folder nor given: expected "
                  "train.csv, val.csv and test.csv of Ravi and Larochelle",
                  split);
    }
    read_list(found->second, split, classes);
  }
  for (auto& [name, listed] : classes) sort_files(name, listed);
  return classes;
}

}  // namespace kshot
