#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kshot {

/// A class of mini-ImageNet as one of the three lists names it.
struct ListedClass {
  std::string split;               ///< "train", "validation" or "test"
  std::vector<std::string> files;  ///< "n0153282900000005.jpg", ..., by name
};

/// By WordNet id: "n01532829".
using ListedClasses = std::map<std::string, ListedClass>;

/// Reads the lists of Ravi and Larochelle (ICLR 2017), each called train.csv, val.csv (or
/// validation.csv) or test.csv and of the columns filename,label. Throws Error(io), and
/// Error(bad_data) naming file and line: a list that is missing or there twice, other columns, a
/// label that is no WordNet id, a file name that does not begin with its label and go on with 8
/// digits, a file twice, a class in two lists.
ListedClasses read_ravi_lists(const std::vector<std::filesystem::path>& lists);

}  // namespace kshot
