// The leaderboard as one JSON document, all figures to the last digit.
#include "experiments/leaderboard/comparison_words.h"
#include "experiments/leaderboard/leaderboard.h"

namespace kshot {
namespace {

void put(Json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

Json row_json(const LeaderboardRow& row, const Score& score) {
  Json runs = Json::array();
  for (const RecordedRun& run : row.runs) {
    runs.push_back({{"id", run.id},
                    {"seed", run.seed},
                    {"folder", run.folder.generic_string()},
                    {score.name, run.score.mean}});
  }
  Json json{{"rank", row.rank},
            {"method", row.method},
            {"name", row.runs[0].name},
            {"algorithm", row.runs[0].result.value("algorithm", Json::object())},
            {score.name, figures_json(row)},
            {"runs", runs},
            {"flags", row.flags()},
            {"deviations", row.runs[0].result.value("deviations", Json::array())}};
  if (const Json& result = row.runs[0].result; result.contains("paper"))
    json["paper"] = result["paper"];
  if (const auto paper = row.paper(score); paper && paper->half_width) {
    json["paper"]["agrees"] = paper->agrees;
    json["paper"]["within"] = *paper->half_width;
  }
  return json;
}

Json pairs_json(const LeaderboardTable& table) {
  Json pairs = Json::array();
  for (const Ranking::Pair& pair : table.ranking.pairs) {
    Json json = comparison_json(pair.comparison);
    json["first"] = table.rows[pair.first].method;
    json["second"] = table.rows[pair.second].method;
    json["p_holm"] = pair.corrected_p;
    json["differs"] = pair.differs;
    pairs.push_back(json);
  }
  return pairs;
}

}  // namespace

Json tasks_json(const TaskDefinition& tasks) {
  return {{"data", tasks.data},         {"data_sha256", tasks.data_sha256},
          {"split", tasks.split},       {"way", tasks.way},
          {"shot", tasks.shot},         {"query", tasks.query},
          {"episodes", tasks.episodes}, {"episodes_sha256", tasks.episodes_sha256}};
}

Json figures_json(const LeaderboardRow& row) {
  Json figures{{"mean", row.score.mean}};
  put(figures, "std", row.score.std);
  put(figures, "ci95_episodes", row.score.ci95);
  put(figures, "ci95_classes", row.ci95_classes);
  put(figures, "std_over_seeds", row.seed_spread);
  return figures;
}

Json leaderboard_json(const std::vector<LeaderboardTable>& tables, const Records& records) {
  Json list = Json::array();
  for (const LeaderboardTable& table : tables) {
    Json rows = Json::array();
    for (size_t i = 0; i < table.rows.size(); ++i) {
      rows.push_back(row_json(table.rows[i], table.score()));
      if (i > 0)
        rows.back()["best_minus_this"] = comparison_json(table.ranking.pair(0, i).comparison);
    }
    list.push_back(
        {{"tasks", tasks_json(table.tasks)}, {"methods", rows}, {"pairs", pairs_json(table)}});
  }
  Json unfinished = Json::array();
  for (const auto& folder : records.unfinished) unfinished.push_back(folder.generic_string());
  return {{"schema", "kshot.leaderboard/1"},
          {"tables", list},
          {"left_out", records.warnings},
          {"unfinished", unfinished}};
}

}  // namespace kshot
