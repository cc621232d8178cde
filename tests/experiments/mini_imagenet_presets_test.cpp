// The presets for miniImageNet start on a pack of the real shape; the images themselves nobody may
// ship.
#include "datasets/hdf5_pack.h"
#include "experiments/embedded_specs.h"
#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::mini_imagenet_presets_test {

constexpr int64_t kImages = 20;  // of a class: five for support, fifteen queries

/// 64, 16 and 20 classes of 84x84 colour images of noise.
void write_noise(const std::filesystem::path& path) {
  Manifest manifest;
  manifest.name = "mini_imagenet";
  manifest.shape = {3, 84, 84};
  manifest.default_split = "ravi_larochelle";
  SplitScheme& scheme = manifest.splits[manifest.default_split];
  for (int64_t c = 0; c < 100; ++c) {
    manifest.classes.push_back({"class" + std::to_string(c), "", c * kImages, kImages});
    scheme.members[c < 64 ? "train" : c < 80 ? "validation" : "test"].push_back(c);
  }
  const Tensor samples = torch::randint(256, {100 * kImages, 3, 84, 84}, torch::kByte);
  write_pack(path, manifest, samples);
}

/// Trains, validates and tests each preset whose name ends so, in the smallest way.
void try_presets(const std::string& ending) {
  const test::TemporaryFolder folder;
  write_noise(folder / "noise.h5");
  int64_t presets = 0;
  for (const EmbeddedFile& file : embedded_specs()) {
    const std::string name = std::filesystem::path(file.path).stem();
    if (name.find("-mini-") == std::string::npos || !name.ends_with(ending)) continue;
    CAPTURE(name);
    ++presets;
    std::vector<std::string> words{"run", name, "--device", "cpu", "--quiet"};
    for (const std::string& edit :
         {"dataset.path=" + (folder / "noise.h5").string(), std::string("train.iterations=1"),
          std::string("train.meta_batch=1"), std::string("train.validate_every=1"),
          std::string("episodes.validation.count=1"), std::string("episodes.test.count=1")}) {
      words.emplace_back("--set");
      words.push_back(edit);
    }
    const test::Outcome outcome = test::kshot(folder.path(), words);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    for (const auto& run : std::filesystem::directory_iterator(folder / "results" / name)) {
      const Json record = Json::parse(read_file(run.path() / "result.json"));
      CHECK(record["test"]["episodes"] == 1);
      CHECK(record["train"]["iterations"] == 1);
    }
  }
  CHECK(presets == 8);  // one of each method
}

TEST_CASE("every miniImageNet preset of one shot works on a pack of the real shape") {
  try_presets("-5w1s");
}

TEST_CASE("every miniImageNet preset of five shots does" * doctest::test_suite("slow")) {
  try_presets("-5w5s");
}

}  // namespace kshot::mini_imagenet_presets_test
