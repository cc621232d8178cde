#include "datasets/image_codec.h"
#include "framework/base/atomic_file.h"
#include "framework/base/fields.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::predict_command_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

/// A white picture with a dark bar, upright or lying: two classes that no model mistakes.
void draw_bar(const fs::path& path, bool upright, int64_t size, int64_t place) {
  fs::create_directories(path.parent_path());
  Tensor image = torch::full({1, size, size}, 255, torch::kByte);
  image.narrow(upright ? 2 : 1, place, size / 4).fill_(0);
  write_file_atomically(path, encode_png(image));
}

/// known/upright (3 pictures), known/lying (2), new/a.png upright and new/b.png lying, in several
/// sizes.
void draw_pictures(const fs::path& folder) {
  draw_bar(folder / "known/upright/1.png", true, 16, 4);
  draw_bar(folder / "known/upright/2.png", true, 32, 12);
  draw_bar(folder / "known/upright/3.PNG", true, 16, 6);
  draw_bar(folder / "known/lying/1.png", false, 16, 5);
  draw_bar(folder / "known/lying/2.png", false, 20, 7);
  draw_bar(folder / "new/a.png", true, 24, 8);
  draw_bar(folder / "new/b.png", false, 16, 5);
}

TEST_CASE("own pictures get the class of the pictures they look like, each with a probability") {
  const TemporaryFolder folder;
  const fs::path run =
      test::make_tiny_run(folder.path(), {{"algorithm", {{"name", "nearest_pixel"}}}});
  draw_pictures(folder.path());
  write_file_atomically(folder / "known/upright/notes.txt", "not a picture");
  write_file_atomically(folder / "known/.hidden", "");
  const Outcome text = kshot(folder.path(), {"predict", run.string(), "--support", "known",
                                             "--query", "new/a.png", "new/b.png"});
  INFO(text.err);
  CHECK(text.code == 0);
  CHECK(text.out.find("new/a.png  upright") != std::string::npos);
  CHECK(text.out.find("new/b.png  lying") != std::string::npos);
  // A folder stands for its pictures, and the two forms say the same.
  const Json json = kshot(folder.path(), {"predict", run.string(), "--support", "known", "--query",
                                          "new", "--json"})
                        .json();
  REQUIRE(json.is_object());
  CHECK(json["classes"] == Json{"lying", "upright"});
  CHECK(json["support_images"] == 5);
  REQUIRE(json["predictions"].size() == 2);
  CHECK(json["predictions"][0]["class"] == "upright");
  for (const Json& line : json["predictions"]) {
    CHECK(line["probabilities"]["lying"].get<double>() +
              line["probabilities"]["upright"].get<double>() ==
          doctest::Approx(1));
    CHECK(line["probability"] == line["probabilities"][line["class"].get<std::string>()]);
  }
}

TEST_CASE("a trained model classifies own pictures too, each for itself") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(folder.path());
  draw_pictures(folder.path());
  const Json both = kshot(folder.path(), {"predict", run.string(), "--support", "known", "--query",
                                          "new", "--json"})
                        .json();
  const Json one = kshot(folder.path(), {"predict", run.string(), "--support", "known", "--query",
                                         "new/b.png", "--json"})
                       .json();
  REQUIRE(both.is_object());
  REQUIRE(one.is_object());
  CHECK(both["transductive"] == false);
  CHECK(both["predictions"][1]["probability"].get<double>() ==
        doctest::Approx(one["predictions"][0]["probability"].get<double>()).epsilon(1e-4));
}

TEST_CASE("pictures that cannot be used are refused on one line that names them") {
  const TemporaryFolder folder;
  const fs::path run =
      test::make_tiny_run(folder.path(), {{"algorithm", {{"name", "nearest_pixel"}}}});
  draw_pictures(folder.path());
  fs::create_directories(folder / "flat");
  fs::create_directories(folder / "hollow/a");
  draw_bar(folder / "hollow/b/1.png", true, 16, 4);
  write_file_atomically(folder / "broken.png", "\x89PNG\r\n\x1a\nno more");
  write_file_atomically(folder / "text.png", "words");
  const struct {
    std::string support, query;
    int code;
    const char* said;
  } cases[] = {{"flat", "new/a.png", 65, "flat: has 0 sub-folders"},
               {"new", "new/a.png", 65, "new: has 0 sub-folders"},
               {"hollow", "new/a.png", 65, "hollow/a"},
               {"nowhere", "new/a.png", 74, "nowhere"},
               {"known", "nothing.png", 74, "nothing.png"},
               {"known", "broken.png", 65, "broken.png"},
               {"known", "text.png", 65, "text.png"},
               {"known", "flat", 65, "flat: no PNG or JPEG"}};
  for (const auto& example : cases) {
    const Outcome outcome = kshot(folder.path(), {"predict", run.string(), "--support",
                                                  example.support, "--query", example.query});
    INFO(outcome.err);
    CHECK(outcome.code == example.code);
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.said) != std::string::npos);
    CHECK(outcome.out.empty());
  }
  CHECK(kshot(folder.path(), {"predict", run.string(), "--support", "known"}).code == 2);
  CHECK(kshot(folder.path(), {"predict", run.string(), "--query", "new"}).code == 2);
}

}  // namespace kshot::predict_command_test
