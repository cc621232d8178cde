#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/run/evaluator.h"

namespace kshot::test {

/// A record to be written. Tasks are 2-way 1-shot with 5 queries a class: an accuracy is right/10.
struct Recipe {
  std::string name = "alpha", id = "aaaaaaaaaaaa";
  uint64_t seed = 1;
  std::vector<int> right{6, 8, 4, 10};  ///< right answers of each episode
  int64_t first_row = 0;                ///< other rows are other tasks
  Json spec = Json::object(), result = Json::object(), env = Json::object();  ///< merged in
};

/// Writes results/NAME/ID with lines that give the figures. Its id is the recipe's own.
std::filesystem::path write_record(const std::filesystem::path& results, const Recipe& recipe);

/// 60 episodes around `level` right answers of 10, up and down by a pattern of its own.
std::vector<int> around(int level, int pattern);

Json read_json(const std::filesystem::path& path);
void write_json(const std::filesystem::path& path, const Json& json);

}  // namespace kshot::test
