#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/experiments/program.h"

namespace kshot::report_command_test {

using kshot::test::files_below;
using kshot::test::kshot;
using kshot::test::kshot_on_full_disk;
using kshot::test::make_tiny_run;
using kshot::test::Outcome;
using kshot::test::TemporaryFolder;

namespace fs = std::filesystem;

namespace {

constexpr const char* kHostile = "<script>alert(\"x\")</script>&'";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// The page of these runs.
std::string report(const TemporaryFolder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), "report");
  words.insert(words.end(), {"--out", "page.html"});
  const Outcome outcome = kshot(folder.path(), words);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  CHECK(outcome.out == "page.html\n");
  return std::regex_replace(read_file(folder / "page.html"), std::regex("\u00a0"), " ");
}

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

void write_json(const fs::path& path, const Json& json) {
  write_file_atomically(path, json.dump(1));
}

void merge_into(const fs::path& path, const Json& changes) {
  Json json = read_json(path);
  json.merge_patch(changes);
  write_json(path, json);
}

/// Half a second of training on sinusoids.
fs::path make_sinusoid_run(const TemporaryFolder& folder, const char* name, double inner_lr) {
  Json spec{{"name", name},
            {"dataset", {{"name", "sinusoid"}}},
            {"backbone", {{"name", "mlp"}}},
            {"algorithm", {{"name", "maml"}, {"inner_lr", inner_lr}, {"test_inner_steps", 3}}},
            {"train", {{"iterations", 6}, {"validate_every", 3}}},
            {"log", {{"every", 1}}}};
  for (const char* split : {"train", "validation", "test"})
    spec["episodes"][split] = {{"way", 1}, {"shot", 4}, {"query", 6}};
  spec["episodes"]["test"]["count"] = 9;
  spec["episodes"]["validation"]["count"] = 3;
  write_json(folder / "sinusoid.json", spec);
  const Outcome outcome = kshot(folder.path(), {"run", "sinusoid.json", "--device", "cpu"});
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  return fs::directory_iterator(folder / "results" / name)->path();
}

/// One wrong answer of these lines made another wrong answer, which alters no figure.
std::string with_impossible_answer(const std::string& lines) {
  std::string changed;
  bool done = false;
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) {
    Json episode = Json::parse(line);
    for (size_t q = 0; q < episode["predictions"].size() && !done; ++q) {
      done = episode["predictions"][q] != episode["query_labels"][q];
      if (done) episode["predictions"][q] = 1'000'000'000;
    }
    changed += episode.dump() + "\n";
  }
  REQUIRE(done);
  return changed;
}

/// One trial of a sweep over inner rate and seed.
void make_trial(const TemporaryFolder& folder, double lr, int seed) {
  make_tiny_run(folder.path(), {{"optimizer", {{"name", "adam"}, {"lr", lr}}}, {"seed", seed}});
}

}  // namespace

TEST_CASE("a report says in words what was found, with intervals and the paper's number") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  const Json result = read_json(run / "result.json");
  const double mean = result["test"]["accuracy"]["mean"];
  const double half = result["test"]["accuracy"]["ci95_classes"];
  merge_into(run / "result.json",
             {{"paper", {{"accuracy", mean + half / 2}, {"source", "Somebody 2017"}}},
              {"deviations", {"Fewer classes."}}});
  const std::string page = report(folder, {run.string()});
  CHECK(has(page, fmt::format("tiny: {:.2f} %</h1>", 100 * mean)));
  CHECK(has(page, "trained for 6 iterations, weights chosen by validation at"));
  CHECK(has(page, fmt::format("± {:.2f} for new classes", 100 * half)));
  CHECK(has(page, "synthetic_glyphs test: 3-way 1-shot, 3 queries a class, 12 episodes"));
  CHECK(has(page, fmt::format("Somebody 2017 reports {:.2f} %: ours is {:.2f} points lower, which "
                              "lies within our interval.",
                              100 * (mean + half / 2), 100 * half / 2)));
  CHECK(has(page, "1 deviation from the paper"));
  CHECK(has(page, "Fewer classes."));

  merge_into(run / "result.json", {{"paper", {{"accuracy", mean - 3 * half}}}});
  CHECK(has(report(folder, {run.string()}), "points higher, more than our interval explains."));
  merge_into(run / "result.json", {{"paper", {{"comparable", false}}}});
  CHECK(
      has(report(folder, {run.string()}), "by another protocol: the two are not to be compared."));
}

TEST_CASE("a report holds every part, each drawing with a name and a table beside it") {
  const TemporaryFolder folder;
  const std::string page = report(folder, {make_tiny_run(folder.path()).string()});
  for (const char* id : {"training", "tasks", "examples", "classes", "spec", "machine"}) {
    CHECK(has(page, fmt::format("<section id=\"{}\"", id)));
    CHECK(has(page, fmt::format("<a href=\"#{}\">", id)));
  }
  CHECK(!has(page, "<section id=\"settings\""));  // there is nothing to compare
  CHECK(!has(page, "<section id=\"runs\""));
  CHECK(has(page, "<title>loss over the iterations of training</title>"));
  CHECK(has(page, "<title>accuracy, % over the iterations of training</title>"));
  CHECK(has(page, "best at "));
  CHECK(count(page, "class=\"mark validation s0\"") == 2);
  CHECK(count(page, "class=\"mark faint s0\"") == 2);
  CHECK(has(page, "The curves as numbers"));
  CHECK(has(page, "How often a task came to which accuracy"));
  CHECK(has(page, "The histogram as numbers"));
  CHECK(has(page, "The hardest of 5 classes is "));
  CHECK(has(page, "Taken for another"));
  CHECK(has(page, "The whole spec"));
  CHECK(has(page, "tasks a second"));
}

TEST_CASE("a report needs nothing from outside and runs no script") {
  const TemporaryFolder folder;
  const std::string page = report(folder, {make_tiny_run(folder.path()).string()});
  const std::regex address("(src|href|url)\\s*[=(]\\s*[\"']?([^\"')>\\s]*)");
  size_t found = 0;
  for (auto it = std::sregex_iterator(page.begin(), page.end(), address);
       it != std::sregex_iterator(); ++it, ++found) {
    const std::string where = (*it)[2];
    CHECK_MESSAGE((where.starts_with("#") || where.starts_with("data:")), where);
  }
  CHECK(found > 10);
  CHECK(!has(page, "<script"));
  CHECK(!has(page, "@import"));
  CHECK(has(page, "Content-Security-Policy"));
}

TEST_CASE("test tasks are drawn as pictures, mistakes marked with what they were taken for") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  // Every answer of every task made wrong: 9 queries of three classes each.
  std::string lines;
  std::istringstream text(read_file(run / "episodes.jsonl"));
  for (std::string line; std::getline(text, line);) {
    Json episode = Json::parse(line);
    for (size_t q = 0; q < 9; ++q)
      episode["predictions"][q] = (episode["query_labels"][q].get<int>() + 1) % 3;
    episode["accuracy"] = 0.0;
    lines += episode.dump() + "\n";
  }
  write_file_atomically(run / "episodes.jsonl", lines);
  Json result = read_json(run / "result.json");
  result["test"]["accuracy"] = {
      {"mean", 0.0}, {"std", 0.0}, {"ci95_episodes", 0.0}, {"ci95_classes", 0.0}};
  write_json(run / "result.json", result);
  const std::string page = report(folder, {run.string()});
  // Three tasks: the typical, a harder and the worst.
  CHECK(count(page, "<figure class=\"given\"") == 9);
  CHECK(count(page, "<figure class=\"wrong\"") == 27);
  CHECK(count(page, "<figure class=\"right\"") == 0);
  CHECK(count(page, "src=\"data:image/png;base64,") == 36);
  CHECK(count(page, "<figcaption>✗ 1</figcaption>") == 9);
  CHECK(has(page, "query image, wrongly taken for "));
  CHECK(has(page, "the worst of all tasks"));
  CHECK(has(page, "0 of 3 right"));
  CHECK(has(page, "The confusions as a matrix"));

  const std::string without = report(folder, {run.string(), "--no-images"});
  CHECK(!has(without, "data:image"));
  CHECK(has(without, "Left out as --no-images asked."));
}

TEST_CASE("the same report comes out again, of many different pictures") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  const std::string once = report(folder, {run.string()});
  CHECK(report(folder, {run.string()}) == once);
  const std::regex picture("data:image/png;base64,([A-Za-z0-9+/=]+)");
  std::set<std::string> different;
  for (auto it = std::sregex_iterator(once.begin(), once.end(), picture);
       it != std::sregex_iterator(); ++it)
    different.insert((*it)[1]);
  CHECK(different.size() > 15);  // images of three tasks, some of which share some
}

TEST_CASE("where the data are not at hand the report says so and shows the rest") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  merge_into(run / "spec.json", {{"dataset",
                                  {{"name", "pack"},
                                   {"path", "gone.h5"},
                                   {"train_alphabets", nullptr},
                                   {"validation_alphabets", nullptr},
                                   {"test_alphabets", nullptr},
                                   {"characters", nullptr},
                                   {"drawings", nullptr},
                                   {"image_size", nullptr},
                                   {"jitter", nullptr},
                                   {"seed", nullptr}}}});
  const std::string page = report(folder, {run.string()});
  CHECK(has(page, "There are no pictures: "));
  CHECK(has(page, "gone.h5"));
  CHECK(has(page, "<section id=\"classes\""));
}

TEST_CASE("data of the same name and other content are not drawn") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  merge_into(run / "spec.json", {{"dataset", {{"jitter", 0.9}}}});
  CHECK(has(report(folder, {run.string()}),
            "There are no pictures: the data of synthetic_glyphs that are at hand are not those of "
            "the record."));
}

TEST_CASE("hostile names stay text") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  Json data = read_json(run / "data.json");
  for (Json& item : data["test_classes"]) item["name"] = kHostile + item["name"].get<std::string>();
  write_json(run / "data.json", data);
  merge_into(run / "result.json", {{"run", {{"name", kHostile}}},
                                   {"algorithm", {{"paper", kHostile}}},
                                   {"paper", {{"accuracy", 0.5}, {"source", kHostile}}},
                                   {"deviations", {kHostile}}});
  merge_into(run / "spec.json", {{"algorithm", {{"name", kHostile}}}});
  merge_into(run / "env.json", {{"cpu", kHostile}, {"git_commit", kHostile}});
  const std::string page = report(folder, {run.string()});
  CHECK(!has(page, "<script"));
  CHECK(!has(page, "alert(\""));
  CHECK(count(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;") > 10);
}

TEST_CASE(
    "several runs stand in one picture with a legend, and their specs' differences in a table") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  merge_into(run / "result.json",
             {{"algorithm", {{"transductive", true}}}, {"run", {{"dirty", false}}}});
  const Outcome other = kshot(folder.path(), {"run", "tiny.json", "--set", "name=cosine", "--set",
                                              "algorithm.distance=cosine", "--device", "cpu"});
  REQUIRE(other.code == 0);
  const std::string page = report(folder, {"tiny", "cosine"});
  CHECK(has(page, "<h1>2 runs side by side</h1>"));
  CHECK(has(page, "<ul class=\"legend\">"));
  CHECK(has(page, "class=\"line s0\""));
  CHECK(has(page, "class=\"line s1\""));
  CHECK(has(page, "Of 2 runs, validation prefers "));
  CHECK(!has(page, "their accuracies are of different things"));  // 3-way all
  CHECK(has(page, "Of 2 methods on synthetic_glyphs test"));
  CHECK(has(page, "<th scope=\"row\">algorithm.distance</th><td>euclidean</td><td>cosine</td>"));
  CHECK(!has(page, "<th scope=\"row\">seed</th>"));
  CHECK(has(page, "<section id=\"runs\""));
  CHECK(has(page, "<td>transductive</td>"));
}

TEST_CASE("a sweep gets main effects and parallel coordinates") {
  const TemporaryFolder folder;
  for (const double lr : {0.001, 0.01})
    for (const int seed : {1, 2}) make_trial(folder, lr, seed);
  const std::string page = report(folder, {"tiny"});
  CHECK(has(page, "<h1>tiny: 4 runs</h1>"));
  CHECK(has(page, "<section id=\"settings\""));
  CHECK(has(page, "<title>validation accuracy, % by lr</title>"));
  CHECK(has(page, "<title>validation accuracy, % by seed</title>"));
  CHECK(has(page, "aria-label=\"Parallel coordinates\""));
  CHECK(count(page, "<path class=\"line first\"") == 1);
  CHECK(has(page, "lr 0.001, seed 1"));
  CHECK(has(page, "Every run with its settings"));
}

TEST_CASE("runs that differ in their seed alone are no sweep of settings") {
  const TemporaryFolder folder;
  for (const int seed : {1, 2, 3}) make_trial(folder, 0.01, seed);
  const std::string page = report(folder, {"tiny"});
  CHECK(!has(page, "<section id=\"settings\""));
  CHECK(has(page, "the mean of 3 trainings with a standard deviation of "));
}

TEST_CASE("a loss that blew up is cut off, and accuracies near 100 % are told apart") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  std::string lines;
  for (int i = 1; i <= 60; ++i) {
    const double loss = i == 30 ? 1e15 : 1 + 0.01 * i, accuracy = 0.9 + 0.0015 * i;
    const Json line{
        {"iteration", i}, {"phase", "train"}, {"train", {{"loss", loss}, {"accuracy", accuracy}}}};
    lines += line.dump() + "\n";
  }
  write_file_atomically(run / "metrics.jsonl", lines);
  const std::string page = report(folder, {run.string()});
  CHECK(!has(page, ">1e+15</text>"));
  CHECK(has(page, ">1.2</text>"));
  CHECK(has(page, "accuracy, % (logarithmic in the error)"));
  for (const char* tick : {"90", "95", "98", "99"})
    CHECK(has(page, fmt::format("text-anchor=\"end\">{}</text>", tick)));
}

TEST_CASE("an unfinished run is shown as far as it came") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  fs::remove(run / "result.json");
  fs::remove(run / "checkpoints" / "last.json");
  const std::string metrics = read_file(run / "metrics.jsonl");
  write_file_atomically(run / "metrics.jsonl", metrics.substr(0, metrics.size() / 2));
  const std::string page = report(folder, {run.string()});
  CHECK(has(page, "<h1>tiny: unfinished</h1>"));
  CHECK(has(page, " of 6 iterations done"));
  CHECK(has(page, "<section id=\"training\""));
  CHECK(!has(page, "<section id=\"tasks\""));

  fs::remove(run / "metrics.jsonl");
  CHECK(has(report(folder, {run.string()}), "0 of 6 iterations done"));
}

TEST_CASE("a run that was trained and not tested is told from one that is not through") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  fs::remove(run / "result.json");
  const std::string page = report(folder, {run.string()});
  CHECK(has(page, "<h1>tiny: not tested</h1>"));
  CHECK(has(page, "trained, but not tested. Its best validation so far is "));
}

TEST_CASE("regressions show error by step and curves in the place of accuracies") {
  const TemporaryFolder folder;
  const fs::path first = make_sinusoid_run(folder, "fast", 0.01);
  const fs::path second = make_sinusoid_run(folder, "slow", 0.001);
  const std::string page = report(folder, {first.string(), second.string()});
  CHECK(has(page, "<title>Mean squared error after each step of adaptation</title>"));
  CHECK(has(page, "<title>How often a task came to which mse</title>"));
  CHECK(count(page, "class=\"line truth\"") == 3);
  CHECK(count(page, "class=\"line thin s1\"") == 3);
  CHECK(!has(page, "accuracy, %"));
  CHECK(!has(page, "<section id=\"classes\""));
  const Json steps = read_json(first / "result.json")["test"]["error"]["by_step"];
  REQUIRE(steps.size() == 4);
  CHECK(has(page, fmt::format("<td class=\"number\">3</td><td class=\"number\">{:.4g}</td>",
                              steps[3]["mean"].get<double>())));
}

TEST_CASE("a record that cannot be trusted is refused, and no page is written") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  const auto refused = [&](int code, const std::string& part) {
    const Outcome outcome = kshot(folder.path(), {"report", run.string(), "--out", "page.html"});
    CHECK(outcome.code == code);
    CHECK(outcome.one_line_error());
    CHECK_MESSAGE(has(outcome.err, part), outcome.err);
    CHECK(!fs::exists(folder / "page.html"));
  };
  const std::string metrics = read_file(run / "metrics.jsonl");
  write_file_atomically(run / "metrics.jsonl", "{}\n" + metrics);
  refused(65, "metrics.jsonl:1: not a line of measurements");
  write_file_atomically(run / "metrics.jsonl", metrics);
  const std::string lines = read_file(run / "episodes.jsonl");
  write_file_atomically(run / "episodes.jsonl", with_impossible_answer(lines));
  refused(65, " has labels or points that its task does not have");
  write_file_atomically(run / "episodes.jsonl", lines);
  const std::string env = read_file(run / "env.json"), spec = read_file(run / "spec.json");
  merge_into(run / "env.json", {{"cpu", 5}});
  refused(65, "env.json: cpu is 5, expected a string");
  write_file_atomically(run / "env.json", env);
  merge_into(run / "spec.json", {{"train", "fast"}});
  refused(65, "spec.json: train is \"fast\", expected an object");
  write_file_atomically(run / "spec.json", spec);
  merge_into(run / "result.json", {{"test", {{"accuracy", {{"mean", 0.123}}}}}});
  refused(65, "accuracy.mean");
  write_file_atomically(run / "result.json", "{");
  refused(65, "not a JSON object");
  fs::remove(run / "result.json");
  write_file_atomically(run / "spec.json", "[]");
  refused(65, "spec.json");
}

TEST_CASE("what is missing or wrong on the command line is said before anything is read") {
  const TemporaryFolder folder;
  const auto error = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "report");
    const Outcome outcome = kshot(folder.path(), words);
    CHECK(outcome.code == 2);
    CHECK(outcome.one_line_error());
    return outcome.err;
  };
  CHECK(has(error({}), "RUN is missing"));
  CHECK(has(error({"somewhere"}), "--out is missing"));
  CHECK(has(error({"nowhere", "--out", "page.html"}), "nowhere: no such folder"));
  CHECK(has(error({".", "--out", "page.html"}), "no run there"));
  CHECK(has(error({".", "--no-image"}), "--no-images"));
  CHECK(files_below(folder.path()).empty());
}

TEST_CASE("a page that does not fit on the disk leaves nothing behind") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  const std::vector<std::string> before = files_below(folder.path());
  const Outcome outcome =
      kshot_on_full_disk(folder.path(), 4, {"report", run.string(), "--out", "page.html"});
  CHECK(outcome.code == 74);
  CHECK(files_below(folder.path()) == before);
}

TEST_CASE("published records make a report without their data") {
  const TemporaryFolder folder;
  const fs::path published =
      fs::absolute(fs::path(KSHOT_SOURCE_DIR)) / "results/published/protonet-omniglot-5w1s";
  const std::string page = report(folder, {published.string()});
  CHECK(has(page, "<h1>protonet-omniglot-5w1s: 98.55 %</h1>"));
  CHECK(has(page, "Snell et al. 2017, table 1 reports 98.80 %: ours is 0.25 points lower"));
  CHECK(has(page, "There are no pictures: "));
  CHECK(has(page, "By alphabet or group"));
  CHECK(has(page, "class=\"line s0 again\""));  // it was trained anew on more classes
  CHECK(has(page, "trained until validation was best, at iteration 11500, then anew for 31400"));
}

}  // namespace kshot::report_command_test
