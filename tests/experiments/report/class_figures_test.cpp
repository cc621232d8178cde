#include "experiments/report/class_figures.h"

#include <doctest/doctest.h>

namespace kshot::class_figures_test {

namespace {

/// Greek/alpha, Greek/beta, Latin/a, and alpha turned.
const std::vector<TaskClass> kClasses{
    {"Greek/alpha", 10}, {"Greek/beta", 11}, {"Latin/a", 12}, {"Greek/alpha@90", 10}};

EpisodeOutcome episode(std::vector<int64_t> classes, std::vector<int64_t> labels,
                       std::vector<int64_t> predictions) {
  EpisodeOutcome outcome;
  outcome.plan.outputs = static_cast<int64_t>(classes.size());
  outcome.plan.classes = std::move(classes);
  outcome.plan.query_labels = std::move(labels);
  outcome.predictions = std::move(predictions);
  return outcome;
}

/// alpha and beta: one alpha of two is taken for beta. Then Latin a, turned alpha and beta: one of
/// two a's is taken for alpha, one for beta; beta for a.
const std::vector<EpisodeOutcome> kEpisodes{
    episode({0, 1}, {0, 0, 1, 1}, {0, 1, 1, 1}),
    episode({2, 3, 1}, {0, 0, 1, 1, 2, 2}, {1, 2, 1, 1, 0, 2})};

}  // namespace

TEST_CASE("a class and its rotations bear one name, groups are what stands before the slash") {
  CHECK(source_names(kClasses) ==
        ClassNames{"Greek/alpha", "Greek/beta", "Latin/a", "Greek/alpha"});
  CHECK(group_names(kClasses) == ClassNames{"Greek", "Greek", "Latin", "Greek"});
  CHECK(group_names({{"cat", 0}, {"dog", 1}}).empty());
}

TEST_CASE("accuracy by class counts queries and tasks, the hardest first") {
  const auto scores = accuracy_by(source_names(kClasses), kEpisodes);
  REQUIRE(scores.size() == 3);
  CHECK(scores[0].name == "Latin/a");
  CHECK(scores[0].right == 0);
  CHECK(scores[0].queries == 2);
  CHECK(scores[0].tasks == 1);
  // alpha and beta both have 3 of 4: by name.
  CHECK(scores[1].name == "Greek/alpha");
  CHECK(scores[1].right == 3);
  CHECK(scores[1].queries == 4);
  CHECK(scores[1].tasks == 2);
  CHECK(scores[2].name == "Greek/beta");
  CHECK(scores[2].accuracy() == 0.75);
}

TEST_CASE("of equally hard classes the one with more queries comes first") {
  const std::vector<TaskClass> classes{{"few", 0}, {"many", 1}};
  const auto scores = accuracy_by(source_names(classes), {episode({0, 1}, {0, 1, 1}, {1, 0, 0})});
  CHECK(scores[0].name == "many");
}

TEST_CASE("a task with two classes of a group counts once for the group") {
  const auto scores = accuracy_by(group_names(kClasses), kEpisodes);
  REQUIRE(scores.size() == 2);
  CHECK(scores[1].name == "Greek");
  CHECK(scores[1].tasks == 2);
  CHECK(scores[1].queries == 8);
  CHECK(scores[1].right == 6);
}

TEST_CASE("confusions count mistakes among the queries that met the other class") {
  const Confusions confusions = confusions_by(source_names(kClasses), kEpisodes);
  const auto of = [&](const char* from, const char* to) { return confusions.at({from, to}); };
  CHECK(of("Greek/alpha", "Greek/beta").times == 1);
  CHECK(of("Greek/alpha", "Greek/beta").chances == 4);  // two in either task
  CHECK(of("Greek/beta", "Greek/alpha").times == 0);
  CHECK(of("Latin/a", "Greek/alpha").times == 1);
  CHECK(of("Latin/a", "Greek/alpha").share() == 0.5);
  CHECK(of("Greek/beta", "Latin/a").times == 1);
  CHECK(of("Greek/beta", "Latin/a").chances == 2);
  CHECK(confusions.count({"Greek/alpha", "Greek/alpha"}) ==
        0);  // its rotation was in no task with it
}

TEST_CASE(
    "the most confused: most mistakes first, then the larger share; the others are left out") {
  const auto pairs = most_confused(confusions_by(source_names(kClasses), kEpisodes), 3);
  REQUIRE(pairs.size() == 3);
  // All were mistaken once: 1 of 2 comes before 1 of 4.
  CHECK(pairs[0].second.share() == 0.5);
  CHECK(pairs[2].second.share() == 0.5);
  const auto all = most_confused(confusions_by(source_names(kClasses), kEpisodes), 100);
  REQUIRE(all.size() == 4);
  CHECK(all[3].first == std::pair<std::string, std::string>{"Greek/alpha", "Greek/beta"});
}

}  // namespace kshot::class_figures_test
