#include "datasets/ravi_lists.h"

#include <algorithm>
#include <string_view>

#include "datasets/folder_listing.h"
#include "datasets/outside_text.h"
#include "datasets/text_lines.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_wordnet_id(std::string_view text) {
  return text.size() == 9 && text[0] == 'n' && is_digits(text.substr(1));
}

/// The label, 8 digits, and the ending of an image.
bool is_file_of(const std::string& label, const std::string& file) {
  return file.size() > 18 && file.starts_with(label) && is_digits(file.substr(9, 8)) &&
         file[17] == '.' && file.find('/') == std::string::npos && is_image_file(file);
}

void check_row(const std::vector<std::string>& cells, const std::string& where) {
  if (cells.size() != 2)
    throw Error(Exit::bad_data, "{}: {} cells, expected 2", where, cells.size());
  const std::string &file = cells[0], &label = cells[1];
  if (!is_wordnet_id(label)) {
    throw Error(Exit::bad_data, "{}: label {}, expected a WordNet id like n01532829", where,
                in_quotes(label));
  }
  if (!is_file_of(label, file)) {
    throw Error(Exit::bad_data, "{}: filename {}, expected a name like {}00000005.jpg", where,
                in_quotes(file), label);
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
