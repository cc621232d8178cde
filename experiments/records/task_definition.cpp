#include "experiments/records/task_definition.h"

#include <fmt/ranges.h>

namespace kshot {

TaskDefinition definition_of(const Json& result) {
  const Json &data = result.at("data"), &test = result.at("test");
  return {.data = data.at("name"),
          .data_sha256 = data.at("sha256"),
          .split = test.value("split", "test"),
          .way = test.at("way"),
          .shot = test.at("shot"),
          .query = test.at("query"),
          .episodes = test.at("episodes"),
          .episodes_sha256 = test.at("episodes_sha256"),
          .kind = test.contains("error") ? TaskKind::regression : TaskKind::classification};
}

std::string title_of(const TaskDefinition& tasks) {
  const char* queries = tasks.query == 1 ? "query" : "queries";
  if (tasks.kind == TaskKind::regression) {
    return fmt::format("{} {}: {}-shot regression, {} {}, {} episodes", tasks.data, tasks.split,
                       tasks.shot, tasks.query, queries, tasks.episodes);
  }
  return fmt::format("{} {}: {}-way {}-shot, {} {} a class, {} episodes", tasks.data, tasks.split,
                     tasks.way, tasks.shot, tasks.query, queries, tasks.episodes);
}

std::string differences(const TaskDefinition& first, const TaskDefinition& second) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const auto& a, const auto& b) {
    if (a != b) found.push_back(fmt::format("{} {} and {}", what, a, b));
  };
  const auto digits = [](const std::string& sha) { return sha.substr(0, 12); };
  compare("data", first.data, second.data);
  if (first.data == second.data)
    compare("data sha256", digits(first.data_sha256), digits(second.data_sha256));
  compare("split", first.split, second.split);
  compare("way", first.way, second.way);
  compare("shot", first.shot, second.shot);
  compare("query", first.query, second.query);
  compare("episodes", first.episodes, second.episodes);
  // Where all else is equal, other seeds or rotations drew other tasks.
  if (found.empty())
    compare("episodes sha256", digits(first.episodes_sha256), digits(second.episodes_sha256));
  return fmt::format("{}", fmt::join(found, "; "));
}

}  // namespace kshot
