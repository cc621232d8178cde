#include "datasets/resize.h"

#include "tests/base/caught.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::resize_test {

using namespace kshot::test;

namespace {

Tensor bytes(const std::vector<int64_t>& values, int64_t height, int64_t width) {
  return torch::tensor(values).to(torch::kByte).view({1, height, width});
}

}  // namespace

TEST_CASE("nearest takes input pixel floor((x + 0.5) * scale)") {
  // 5 -> 3: 0.5 * 5/3 = 0.83, 1.5 * 5/3 = 2.5, 2.5 * 5/3 = 4.17
  CHECK(resize(bytes({10, 20, 30, 40, 50}, 1, 5), 1, 3, Resampling::nearest)
            .equal(bytes({10, 30, 50}, 1, 3)));
  // 2 -> 5: 0.2, 0.6, 1.0, 1.4, 1.8
  CHECK(resize(bytes({10, 20}, 2, 1), 5, 1, Resampling::nearest)
            .equal(bytes({10, 10, 20, 20, 20}, 5, 1)));
  // Omniglot: 105 -> 28 has scale 3.75
  const Tensor ramp = torch::arange(105).to(torch::kByte).view({1, 1, 105});
  CHECK(resize(ramp, 1, 28, Resampling::nearest)
            .equal(bytes({1,  5,  9,  13, 16, 20, 24, 28, 31, 35, 39, 43, 46, 50,
                          54, 58, 61, 65, 69, 73, 76, 80, 84, 88, 91, 95, 99, 103},
                         1, 28)));
}

TEST_CASE("bilinear to half the width, worked out by hand") {
  // The triangle spans 2 output pixels: weights .75 .75 .25 over their sum, at either end cut off.
  // (0 * .75 + 100 * .75 + 200 * .25) / 1.75 = 71.4;  (100 * .25 + 200 * .75 + 40 * .75) / 1.75 =
  // 117.1
  CHECK(resize(bytes({0, 100, 200, 40}, 1, 4), 1, 2, Resampling::bilinear)
            .equal(bytes({71, 117}, 1, 2)));
}

TEST_CASE("the same bytes as Pillow 11.3") {
  struct Golden {
    Resampling resampling;
    std::vector<int64_t> smaller, larger;  // 6x5 -> 4x3 and 7x4 (width x height)
  };
  const std::vector<Golden> goldens = {
      {Resampling::nearest,
       {0, 212, 221, 45, 74, 74, 105, 229, 148, 192, 245, 157},
       {0,   53,  212, 221, 221, 80, 45, 37,  101, 15,  35,  35,  161, 137,
        111, 197, 133, 175, 175, 67, 65, 148, 245, 192, 245, 245, 148, 157}},
      {Resampling::bilinear,
       {38, 111, 131, 96, 102, 102, 128, 177, 166, 192, 176, 116},
       {9,  53,  128, 169, 148, 94,  68,  52,  106, 69,  52,  111, 191, 175,
        96, 160, 133, 127, 144, 139, 133, 139, 213, 197, 203, 192, 129, 134}},
      {Resampling::bicubic,
       {30, 111, 135, 95, 103, 93, 122, 185, 169, 200, 179, 110},
       {5,  42,  137, 190, 154, 79,  57,  48,  112, 58,  25,  104, 212, 184,
        95, 169, 134, 127, 148, 135, 131, 140, 225, 201, 213, 203, 118, 131}},
      {Resampling::lanczos,
       {26, 112, 137, 97, 109, 86, 113, 191, 169, 212, 180, 103},
       {4,  38,  137, 198, 152, 68,  50,  46,  113, 62,  2,   108, 226, 192,
        93, 169, 139, 127, 155, 133, 131, 138, 224, 202, 215, 204, 105, 125}},
  };
  for (const Golden& golden : goldens) {
    CAPTURE(resampling_name(golden.resampling));
    CHECK(resize(gray_image(5, 6), 3, 4, golden.resampling).equal(bytes(golden.smaller, 3, 4)));
    CHECK(resize(gray_image(5, 6), 4, 7, golden.resampling).equal(bytes(golden.larger, 4, 7)));
  }
}

TEST_CASE("bilinear and bicubic agree with LibTorch's antialiased ones to rounding") {
  torch::manual_seed(0);
  const Tensor image = torch::randint(256, {3, 61, 47}, torch::kByte);
  const Tensor input = image.to(torch::kFloat).unsqueeze(0);
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{28, 28}, {84, 20}, {100, 90}}) {
    const std::vector<int64_t> size = {height, width};
    const auto expect = [&](const Tensor& theirs, Resampling resampling) {
      const Tensor rounded = theirs.squeeze(0).round().clamp(0, 255);
      const Tensor gap =
          (resize(image, height, width, resampling).to(torch::kFloat) - rounded).abs();
      // Pillow rounds, and clips, once more between the two passes.
      CHECK(gap.mean().item<float>() < 0.5);
      CHECK(gap.median().item<float>() <= 1);
    };
    expect(at::_upsample_bilinear2d_aa(input, size, false), Resampling::bilinear);
    expect(at::_upsample_bicubic2d_aa(input, size, false), Resampling::bicubic);
  }
}

TEST_CASE("every resampling keeps flat images flat, channels apart and sizes right") {
  const Tensor flat =
      torch::tensor({7, 130, 255}, torch::kByte).view({3, 1, 1}).expand({3, 13, 9}).contiguous();
  for (const Resampling resampling :
       {Resampling::nearest, Resampling::bilinear, Resampling::bicubic, Resampling::lanczos}) {
    for (const int64_t size : {1, 5, 13, 40}) {
      const Tensor result = resize(flat, size, 2 * size, resampling);
      CHECK(result.equal(flat.narrow(1, 0, 1).narrow(2, 0, 1).expand({3, size, 2 * size})));
    }
  }
}

TEST_CASE("resampling names read back; a wrong one is refused with the nearest") {
  for (const char* name : {"nearest", "bilinear", "bicubic", "lanczos"}) {
    CHECK(resampling_name(parse_resampling(name)) == name);
  }
  CHECK(message_of([] { parse_resampling("bilinaer"); }).find("did you mean \"bilinear\"") !=
        std::string::npos);
}

}  // namespace kshot::resize_test
