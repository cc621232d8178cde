#include "episodes/episode_sampler.h"

#include <set>
#include <thread>

#include "episodes/fixed_tasks.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/toy_dataset.h"

namespace kshot::episode_sampler_test {

using test::caught;
using test::message_of;
using test::toy_dataset;

const DatasetPtr& toys() {
  static const DatasetPtr dataset = toy_dataset();
  return dataset;
}

DatasetView turned(const std::string& rotations) {
  DatasetView view;
  view.rotations = rotations;
  return view;
}

EpisodeSampler sampler(const EpisodeShape& shape, const EpisodeStream& stream = {},
                       const DatasetView& view = {}) {
  return {toys(), view, shape, stream};
}

std::vector<TaskPlan> plans(const TaskSource& source, uint64_t first, uint64_t count) {
  std::vector<TaskPlan> result;
  for (uint64_t i = first; i < first + count; ++i) result.push_back(source.plan(i));
  return result;
}

std::string digest(const EpisodeShape& shape, const EpisodeStream& stream = {},
                   const DatasetView& view = {}) {
  return plans_sha256(sampler(shape, stream, view), 20);
}

// ---- what a task consists of

TEST_CASE(
    "a task has way classes, shot support and query images of each, labels from 0 to way - 1") {
  const EpisodeSampler source = sampler({.way = 4, .shot = 3, .query = 2});
  const TaskPlan plan = source.plan(5);
  CHECK(plan.index == 5);
  CHECK(plan.outputs == 4);
  CHECK(plan.classes.size() == 4);
  CHECK(std::set<int64_t>(plan.classes.begin(), plan.classes.end()).size() == 4);
  for (int64_t label = 0; label < 4; ++label) {
    CHECK(std::count(plan.support_labels.begin(), plan.support_labels.end(), label) == 3);
    CHECK(std::count(plan.query_labels.begin(), plan.query_labels.end(), label) == 2);
  }
  const Manifest& manifest = toys()->manifest();
  const auto index = index_classes(manifest, {}, {"test"});
  for (size_t i = 0; i < plan.support.size(); ++i) {
    const auto& rows =
        index[static_cast<size_t>(plan.classes[static_cast<size_t>(plan.support_labels[i])])].rows;
    CHECK(std::count(rows.begin(), rows.end(), plan.support[i]) == 1);
  }
}

TEST_CASE("support and query never share an image, nor is one drawn twice, over 10,000 tasks") {
  // 12 images a class, all of them used: any repetition would show.
  const EpisodeSampler source = sampler({.way = 5, .shot = 5, .query = 7}, {.splits = {"train"}});
  int64_t repeated = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const TaskPlan plan = source.plan(i);
    std::set<int64_t> images(plan.support.begin(), plan.support.end());
    images.insert(plan.query.begin(), plan.query.end());
    repeated += images.size() != plan.support.size() + plan.query.size();
  }
  CHECK(repeated == 0);
}

TEST_CASE("labels carry no class information: chi-square over 20,000 tasks") {
  constexpr int64_t kTasks = 20000, kWay = 4;
  const EpisodeSampler source =
      sampler({.way = kWay, .shot = 1, .query = 1}, {.splits = {"train"}});
  const auto classes = static_cast<int64_t>(source.classes().size());
  REQUIRE(classes == 16);
  Tensor counts = torch::zeros({classes, kWay}, torch::kDouble);
  auto at = counts.accessor<double, 2>();
  for (uint64_t i = 0; i < kTasks; ++i) {
    const TaskPlan plan = source.plan(i);
    for (size_t label = 0; label < kWay; ++label)
      at[plan.classes[label]][static_cast<int64_t>(label)] += 1;
  }
  const double expected = static_cast<double>(kTasks) / static_cast<double>(classes);
  const double chi_square = (counts - expected).square().sum().item<double>() / expected;
  // 60 degrees of freedom: mean 60, standard deviation 11; 99.9 % lie below 99.6, 99.9 %
  // above 31.7.
  CHECK(chi_square < 99.6);
  CHECK(chi_square > 31.7);
}

TEST_CASE("each image of a class is as often support as any other: chi-square over 20,000 tasks") {
  constexpr int64_t kTasks = 20000;
  const EpisodeSampler source = sampler({.way = 8, .shot = 1, .query = 1});
  std::map<int64_t, double> counts;
  for (uint64_t i = 0; i < kTasks; ++i) {
    for (const int64_t row : source.plan(i).support) counts[row] += 1;
  }
  REQUIRE(counts.size() == 96);
  const double expected = kTasks * 8.0 / 96;
  double chi_square = 0;
  for (const auto& [row, count] : counts)
    chi_square += (count - expected) * (count - expected) / expected;
  CHECK(chi_square <
        136);  // 88 degrees of freedom (the sum in each class is fixed): 99.9 % lie below 136
}

// ---- what a plan depends on

TEST_CASE(
    "a plan does not depend on how many are drawn, on their order, on threads or on what was "
    "loaded") {
  const EpisodeSampler source = sampler({.way = 5, .shot = 2, .query = 3}),
                       fresh = sampler({.way = 5, .shot = 2, .query = 3});
  const std::vector<TaskPlan> forward = plans(source, 0, 64);
  for (uint64_t i = 64; i-- > 0;) CHECK(fresh.plan(i) == forward[i]);
  source.load(std::span(forward).first(3));
  CHECK(source.plan(7) == forward[7]);
  std::vector<TaskPlan> drawn(64);
  std::vector<std::thread> threads;
  for (size_t k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      for (size_t i = k; i < 64; i += 4) drawn[i] = source.plan(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK((drawn == forward));
}

TEST_CASE("what is loaded for a task does not depend on the tasks beside it") {
  const EpisodeSampler source = sampler({.way = 3, .shot = 2, .query = 2}, {}, turned("all"));
  const std::vector<TaskPlan> four = plans(source, 10, 4);
  const Episodes together = source.load(four);
  for (size_t t = 0; t < 4; ++t) {
    const Episodes alone = source.load(std::span(four).subspan(t, 1));
    const Episodes slice = together.slice(static_cast<int64_t>(t), 1);
    CHECK(torch::equal(alone.support.inputs, slice.support.inputs));
    CHECK(torch::equal(alone.query.inputs, slice.query.inputs));
    CHECK(torch::equal(alone.query.targets, slice.query.targets));
    CHECK((alone.plans == slice.plans));
  }
}

TEST_CASE("tasks differ by index, seed, purpose, split, way, shot, query and data") {
  const EpisodeShape shape{.way = 3, .shot = 1, .query = 2};
  const std::set<std::string> digests{
      digest(shape),
      digest(shape, {.seed = 1}),
      digest(shape, {.purpose = Purpose::validation_tasks}),
      digest(shape, {.splits = {"validation"}}),
      digest(shape, {.splits = {"train", "validation"}}),
      digest({.way = 4, .shot = 1, .query = 2}),
      digest({.way = 3, .shot = 2, .query = 2}),
      digest({.way = 3, .shot = 1, .query = 3}),
      digest(shape, {}, turned("all")),
      plans_sha256(EpisodeSampler(toy_dataset({.train = 17}), {}, shape, {}), 20),
  };
  CHECK(digests.size() == 10);
  const EpisodeSampler source = sampler(shape);
  CHECK_FALSE(source.plan(0).classes == source.plan(1).classes);
}

TEST_CASE(
    "how a spec says the same thing changes no task: the default scheme by name, rotations of "
    "another split, pixels") {
  const EpisodeShape shape{.way = 3, .shot = 1, .query = 2};
  DatasetView named;
  named.splits = "toy";
  DatasetView pixels;
  pixels.invert = true;
  pixels.mean = {0.5};
  CHECK(digest(shape, {}, named) == digest(shape));
  CHECK(digest(shape, {}, turned("train")) == digest(shape));
  CHECK(digest(shape, {}, pixels) == digest(shape));
  CHECK(digest(shape, {.splits = {"train"}}, turned("train")) ==
        digest(shape, {.splits = {"train"}}, turned("all")));
  CHECK(digest(shape, {.splits = {"train"}}, turned("train")) !=
        digest(shape, {.splits = {"train"}}));
}

TEST_CASE("the tasks themselves are pinned: published results rest on them") {
  const TaskPlan plan = sampler({.way = 3, .shot = 1, .query = 2}).plan(0);
  CHECK(plan.classes == std::vector<int64_t>{3, 7, 1});
  CHECK(plan.support == std::vector<int64_t>{335, 377, 302});
  CHECK(plan.query == std::vector<int64_t>{333, 325, 373, 382, 308, 307});
}

TEST_CASE("train, validation and test tasks have no class in common") {
  std::set<int64_t> seen;
  size_t total = 0;
  for (const std::string split : {"train", "validation", "test"}) {
    const EpisodeSampler source =
        sampler({.way = 5, .shot = 1, .query = 1}, {.splits = {split}}, turned("all"));
    std::set<int64_t> of_split;
    for (const TaskPlan& plan : plans(source, 0, 300)) {
      for (const int64_t c : plan.classes)
        of_split.insert(source.classes()[static_cast<size_t>(c)].source);
    }
    total += of_split.size();
    seen.insert(of_split.begin(), of_split.end());
  }
  CHECK(total == 32);  // every class of every split turned up
  CHECK(seen.size() == 32);
}

// ---- pixels

TEST_CASE("a task's images are those of its rows, its labels those of its plan") {
  const EpisodeSampler source = sampler({.way = 3, .shot = 2, .query = 4});
  const TaskPlan plan = source.plan(3);
  const Episodes task = source.load(std::span(&plan, 1));
  CHECK(task.outputs == 3);
  CHECK(task.support.inputs.sizes() == torch::IntArrayRef({1, 6, 1, 8, 8}));
  CHECK(task.support.inputs.scalar_type() == torch::kFloat);
  CHECK(torch::equal(task.support.inputs[0], to_input(toys()->load(plan.support), {})));
  CHECK(torch::equal(task.query.inputs[0], to_input(toys()->load(plan.query), {})));
  CHECK(torch::equal(task.query.targets[0], torch::tensor(plan.query_labels, torch::kLong)));
  CHECK(source.shapes().input == std::vector<int64_t>{1, 8, 8});
  CHECK(source.shapes().outputs == 3);
}

TEST_CASE(
    "a class and its rotations are different classes of one source, each with its own turned "
    "pixels") {
  // 8 test classes and their three turns: a 32-way task holds them all.
  const EpisodeSampler source = sampler({.way = 32, .shot = 1, .query = 1}, {}, turned("all"));
  REQUIRE(source.classes().size() == 32);
  const TaskPlan plan = source.plan(0);
  const Episodes task = source.load(std::span(&plan, 1));
  std::set<std::string> names;
  std::map<int64_t, int> labels_of_source;
  int not_upright = 0;
  for (size_t i = 0; i < 32; ++i) {
    const TaskClass& of_label = source.classes()[static_cast<size_t>(
        plan.classes[static_cast<size_t>(plan.support_labels[i])])];
    names.insert(of_label.name);
    ++labels_of_source[of_label.source];
    const size_t mark = of_label.name.find('@');
    const int turns =
        mark == std::string::npos ? 0 : std::stoi(of_label.name.substr(mark + 1)) / 90;
    const Tensor upright = to_input(toys()->load(std::span(&plan.support[i], 1)), {})[0];
    const auto k = static_cast<int64_t>(i);
    CHECK(torch::equal(task.support.inputs[0][k], torch::rot90(upright, turns, {-2, -1})));
    not_upright += !torch::equal(task.support.inputs[0][k], upright);
    // The row belongs to the class that the label means.
    const ClassInfo& info = toys()->manifest().classes[static_cast<size_t>(of_label.source)];
    CHECK(plan.support[i] >= info.first);
    CHECK(plan.support[i] < info.first + info.count);
  }
  CHECK(not_upright == 24);
  CHECK(names.size() == 32);
  CHECK(labels_of_source.size() == 8);
  for (const auto& [number, labels] : labels_of_source) CHECK(labels == 4);
}

TEST_CASE("a task may have no queries") {
  const EpisodeSampler source = sampler({.way = 3, .shot = 12, .query = 0});
  const std::vector<TaskPlan> two = plans(source, 0, 2);
  CHECK(two[0].query.empty());
  const Episodes tasks = source.load(two);
  CHECK(tasks.support.inputs.sizes() == torch::IntArrayRef({2, 36, 1, 8, 8}));
  CHECK(tasks.query.inputs.sizes() == torch::IntArrayRef({2, 0, 1, 8, 8}));
  CHECK(tasks.query.targets.sizes() == torch::IntArrayRef({2, 0}));
  CHECK(tasks.tasks() == 2);
}

TEST_CASE("plans of unequal shape are not loaded side by side") {
  const EpisodeSampler source = sampler({.way = 3, .shot = 1, .query = 1});
  std::vector<TaskPlan> two = plans(source, 0, 2);
  two[1].query.pop_back();
  CHECK_THROWS_AS(source.load(two), c10::Error);
}

// ---- what does not fit

TEST_CASE("too few classes or images: the message says which, how many, and what would fit") {
  const auto message = [](const EpisodeShape& shape) {
    return message_of([&] { sampler(shape); });
  };
  CHECK(message({.way = 9, .shot = 1, .query = 1}) ==
        "split \"test\" has 8 classes; 9-way tasks need 9: lower way to 8 or less");
  CHECK(message({.way = 5, .shot = 5, .query = 16}) ==
        "class \"class24\" has 12 images; 5-shot with 16 queries needs 21: query 7 or less would "
        "fit");
  CHECK(message({.way = 5, .shot = 20, .query = 1}) ==
        "class \"class24\" has 12 images; 20-shot with 1 queries needs 21: shot 11 with query 1 "
        "would fit");
  CHECK(message({.way = 5, .shot = 12, .query = 1}).find("shot 11 with query 1 would fit") !=
        std::string::npos);
  CHECK(message({.way = 5, .shot = 20, .query = 0}).find("shot 12 would fit") != std::string::npos);
  CHECK(message({.way = 8, .shot = 5, .query = 7}).empty());
  const auto error = caught([] { sampler({.way = 9}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
}

TEST_CASE("what the message says would fit, fits") {
  for (const EpisodeShape& wanted : {EpisodeShape{5, 5, 16}, EpisodeShape{5, 20, 1},
                                     EpisodeShape{5, 12, 3}, EpisodeShape{5, 11, 2}}) {
    EpisodeShape fitting = wanted;
    if (wanted.shot < 12) {
      fitting.query = 12 - wanted.shot;
    } else {
      fitting.shot = 11;
      fitting.query = 1;
    }
    const std::string message = message_of([&] { sampler(wanted); });
    CHECK(message.find(wanted.shot < 12 ? fmt::format("query {} or less", fitting.query)
                                        : fmt::format("shot {} with query 1", fitting.shot)) !=
          std::string::npos);
    CHECK_NOTHROW(sampler(fitting));
  }
}

TEST_CASE("of classes with one image or none no task can be made, and the message says so") {
  const DatasetPtr single = toy_dataset({.images = 1});
  const auto message =
      message_of([&] { EpisodeSampler(single, {}, {.way = 2, .shot = 1, .query = 1}, {}); });
  CHECK(message ==
        "class \"class24\" has 1 images; 1-shot with 1 queries needs 2: give it two images at "
        "least, or leave it out of the split");
  CHECK_NOTHROW(EpisodeSampler(single, {}, {.way = 2, .shot = 1, .query = 0}, {}));
}

TEST_CASE("an unknown split is refused with the known ones") {
  CHECK(message_of([] { sampler({}, {.splits = {"tets"}}); }).find("test") != std::string::npos);
}

// ---- a fixed list of tasks

TEST_CASE("a fixed list of tasks is the first N of its source, over and over") {
  const auto source = std::make_shared<EpisodeSampler>(toys(), DatasetView{}, EpisodeShape{3, 1, 2},
                                                       EpisodeStream{});
  const FixedTasks fixed(source, 4);
  for (uint64_t i = 0; i < 13; ++i) CHECK(fixed.plan(i) == source->plan(i % 4));
  CHECK(plans_sha256(fixed, 4) == plans_sha256(*source, 4));
  CHECK(fixed.shapes().outputs == 3);
  CHECK(fixed.classes().size() == source->classes().size());
  const TaskPlan plan = fixed.plan(6);
  CHECK(torch::equal(fixed.load(std::span(&plan, 1)).query.inputs,
                     source->load(std::span(&plan, 1)).query.inputs));
}

}  // namespace kshot::episode_sampler_test
