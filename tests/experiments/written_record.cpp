#include "tests/experiments/written_record.h"

#include "framework/base/atomic_file.h"
#include "framework/run/run_record.h"

namespace kshot::test {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kQueries = 10, kClasses = 6;

std::vector<TaskClass> classes() {
  std::vector<TaskClass> list;
  for (int64_t c = 0; c < kClasses; ++c) list.push_back({"class" + std::to_string(c), c});
  return list;
}

EpisodeOutcome episode_of(const Recipe& recipe, int64_t e) {
  EpisodeOutcome outcome;
  TaskPlan& plan = outcome.plan;
  plan.index = static_cast<uint64_t>(e);
  plan.outputs = 2;
  plan.classes = {e % kClasses, (e + 1 + e / kClasses % (kClasses - 1)) % kClasses};
  plan.support = {recipe.first_row, recipe.first_row + 20};
  plan.support_labels = {0, 1};
  const int right = recipe.right[static_cast<size_t>(e)];
  for (int64_t q = 0; q < kQueries; ++q) {
    const int64_t label = q / 5;
    plan.query.push_back(recipe.first_row + 1 + q);
    plan.query_labels.push_back(label);
    outcome.predictions.push_back(q < right ? label : 1 - label);
  }
  outcome.accuracy = right / 10.0;
  outcome.loss = 1 - outcome.accuracy;
  return outcome;
}

/// The hash as the sampler would give it: through a source of the same plans.
class Plans final : public TaskSource {
 public:
  explicit Plans(const std::vector<EpisodeOutcome>& episodes) : episodes_(episodes) {}
  TaskPlan plan(uint64_t index) const override { return episodes_.at(index).plan; }
  Episodes load(std::span<const TaskPlan>) const override { return {}; }
  Shapes shapes() const override { return {}; }
  const std::vector<TaskClass>& classes() const override { return none_; }

 private:
  const std::vector<EpisodeOutcome>& episodes_;
  std::vector<TaskClass> none_;
};

}  // namespace

void write_json(const fs::path& path, const Json& json) {
  write_file_atomically(path, json.dump(1));
}

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

fs::path write_record(const fs::path& results, const Recipe& recipe) {
  Evaluation evaluation;
  for (size_t e = 0; e < recipe.right.size(); ++e) {
    evaluation.episodes.push_back(episode_of(recipe, static_cast<int64_t>(e)));
  }
  const auto count = static_cast<int64_t>(recipe.right.size());
  evaluation.episodes_sha256 = plans_sha256(Plans(evaluation.episodes), count);
  summarise(evaluation, classes());

  const fs::path folder = results / recipe.name / recipe.id;
  make_folder(folder);
  Json spec{{"name", recipe.name}, {"seed", recipe.seed}, {"algorithm", {{"name", "protonet"}}}};
  spec.merge_patch(recipe.spec);
  Json listed = Json::array();
  for (const TaskClass& c : classes()) listed.push_back({{"name", c.name}, {"source", c.source}});
  Json result{
      {"schema", "kshot.result/1"},
      {"run",
       {{"id", recipe.id},
        {"name", recipe.name},
        {"seed", recipe.seed},
        {"source_id", "abc"},
        {"dirty", false}}},
      {"data",
       {{"name", "toy"}, {"sha256", "0123456789abcdef"}, {"classes", {{"test", kClasses}}}}},
      {"algorithm", {{"name", "protonet"}, {"transductive", false}}},
      {"test",
       {{"way", 2},
        {"shot", 1},
        {"query", 5},
        {"split", "test"},
        {"episodes", count},
        {"episodes_sha256", evaluation.episodes_sha256},
        {"accuracy", accuracy_block(evaluation)},
        {"loss", loss_block(evaluation)}}}};
  result.merge_patch(recipe.result);
  write_json(folder / "spec.json", spec);
  Json env{{"device", "cpu"}, {"libtorch", "2.11.0"}};
  env.merge_patch(recipe.env);
  write_json(folder / "env.json", env);
  write_json(folder / "data.json", {{"sha256", "0123456789abcdef"}, {"test_classes", listed}});
  write_file_atomically(folder / "episodes.jsonl", outcomes_text(evaluation.episodes));
  write_json(folder / "result.json", result);
  return folder;
}

std::vector<int> around(int level, int pattern) {
  std::vector<int> right;
  for (int e = 0; e < 60; ++e) right.push_back(level + (e * pattern / 7 + e) % 3 - 1);
  return right;
}

}  // namespace kshot::test
