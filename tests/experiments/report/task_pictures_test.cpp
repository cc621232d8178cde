#include "experiments/report/task_pictures.h"

#include "datasets/image_codec.h"
#include "experiments/experiment.h"
#include "experiments/records/episode_lines.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::task_pictures_test {

using kshot::test::make_tiny_run;
using kshot::test::message_of;
using kshot::test::TemporaryFolder;

namespace fs = std::filesystem;

namespace {

std::string from_base64(std::string_view text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  return bytes;
}

/// The samples themselves, turned as their classes are.
Tensor stored(const fs::path& run, const TaskPlan& plan, const std::vector<int64_t>& rows,
              const std::vector<int64_t>& labels) {
  const ExperimentSpec spec = read_spec(load_spec((run / "spec.json").string(), {}), "cpu");
  DatasetCache datasets;
  const DatasetPtr data = datasets.open(spec.dataset);
  const auto source = held_out_source(spec, "test", datasets);
  std::vector<Tensor> images;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto entry = static_cast<size_t>(plan.classes[static_cast<size_t>(labels[i])]);
    const std::string& name = source->classes()[entry].name;
    const size_t at = name.find('@');
    const int turns = at == std::string::npos ? 0 : std::stoi(name.substr(at + 1)) / 90;
    images.push_back(torch::rot90(data->load(std::span(&rows[i], 1))[0], turns, {1, 2}));
  }
  return torch::stack(images);
}

}  // namespace

TEST_CASE("pictures are the samples as stored, however the network saw them") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(
      folder.path(),
      {{"dataset", {{"rotations", "all"}, {"invert", true}, {"mean", {0.1}}, {"std", {0.3}}}}});
  const RecordedRun record = read_recorded_run(run);
  std::vector<TaskPlan> plans;
  for (const EpisodeOutcome& episode : read_episode_lines(run)) plans.push_back(episode.plan);
  const std::vector<TaskPictures> pictures = draw_tasks(record, plans);
  REQUIRE(pictures.size() == 12);
  for (size_t i = 0; i < plans.size(); ++i) {
    const TaskPlan& plan = plans[i];
    CHECK(pictures[i].support.equal(stored(run, plan, plan.support, plan.support_labels)));
    CHECK(pictures[i].query.equal(stored(run, plan, plan.query, plan.query_labels)));
  }
}

TEST_CASE("an address holds the image itself") {
  for (const int64_t channels : {1, 3}) {
    const Tensor image =
        torch::arange(channels * 5 * 7).mul(2).view({channels, 5, 7}).to(torch::kByte);
    const std::string address = png_address(image), start = "data:image/png;base64,";
    REQUIRE(address.starts_with(start));
    const Tensor decoded = decode_image(from_base64(address.substr(start.size())), "address");
    CHECK(decoded.equal(image));
  }
}

TEST_CASE("other classes than the record's are not drawn") {
  const TemporaryFolder folder;
  RecordedRun record = read_recorded_run(make_tiny_run(folder.path()));
  record.data["test_classes"][1]["name"] = "Another/character01";
  CHECK(message_of([&] { draw_tasks(record, {}); }) ==
        "the test classes of synthetic_glyphs are not those of the record");
}

TEST_CASE("samples that the data set does not have are not drawn") {
  const TemporaryFolder folder;
  const fs::path run = make_tiny_run(folder.path());
  std::vector<TaskPlan> plans{read_episode_lines(run)[0].plan};
  plans[0].query[2] = 1'000'000;
  CHECK(message_of([&] { draw_tasks(read_recorded_run(run), plans); }) ==
        "task 0 names sample 1000000, but synthetic_glyphs has 160");
}

TEST_CASE("samples that are no pictures are not drawn") {
  const TemporaryFolder folder;
  std::string rows;
  for (int c = 0; c < 12; ++c)
    for (int i = 0; i < 6; ++i) rows += fmt::format("{},{},c{}\n", c + 0.01 * i, i, c);
  write_file_atomically(folder / "points.csv", rows);
  const test::Outcome imported =
      test::kshot(folder.path(), {"data", "import", "vectors", "points.csv", "--out", "points.h5"});
  REQUIRE_MESSAGE(imported.code == 0, imported.err);
  const Json spec{{"name", "points"},
                  {"dataset", {{"name", "pack"}, {"path", (folder / "points.h5").string()}}},
                  {"algorithm", {{"name", "nearest_pixel"}}},
                  {"episodes", {{"test", {{"way", 2}, {"shot", 1}, {"query", 2}, {"count", 3}}}}}};
  write_file_atomically(folder / "points.json", spec.dump());
  const test::Outcome ran = test::kshot(folder.path(), {"run", "points.json", "--device", "cpu"});
  REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const fs::path run = fs::directory_iterator(folder / "results" / "points")->path();
  CHECK(message_of([&] {
          draw_tasks(read_recorded_run(run), {});
        }).find("are no pictures: their shape is [2]") != std::string::npos);
}

}  // namespace kshot::task_pictures_test
