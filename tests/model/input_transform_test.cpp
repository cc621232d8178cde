#include "framework/model/input_transform.h"

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::input_transform_test {

using test::message_of;
using Shape = std::vector<int64_t>;

TEST_CASE("no transform leaves images as they are") {
  const Tensor images = test::numbers({1, 2, 1, 5, 4}, 1);
  CHECK(InputTransform{}.apply(images).is_same(images));
  CHECK(InputTransform{}.output_shape(Shape{7}) == Shape{7});
}

TEST_CASE("the shorter side is resized, the longer one goes along, rounded down") {
  const InputTransform transform{.resize = 10, .interpolation = "nearest"};
  CHECK(transform.output_shape(Shape{3, 20, 45}) == Shape{3, 10, 22});
  CHECK(transform.output_shape(Shape{3, 45, 20}) == Shape{3, 22, 10});
  const Tensor images = test::numbers({2, 3, 1, 20, 45}, 1);
  CHECK(transform.apply(images).sizes() == Shape{2, 3, 1, 10, 22});
}

TEST_CASE("antialiased: each pixel of half the size is a mean weighted like a tent") {
  Tensor image = torch::zeros({1, 1, 1, 8, 8});
  image[0][0][0][4][4] = 1;
  const InputTransform smooth{.resize = 4}, sharp{.resize = 4, .antialias = false};
  // A tent of width 4 around 4.0 (between pixels 3 and 4): weights 1/8, 3/8, 3/8, 1/8.
  const Tensor small = smooth.apply(image)[0][0][0];
  CHECK(small[2][2].item<double>() == doctest::Approx(9.0 / 64));
  CHECK(small[1][2].item<double>() == doctest::Approx(3.0 / 64));
  CHECK(sharp.apply(image)[0][0][0][2][2].item<double>() == doctest::Approx(0.25));
}

TEST_CASE("cropping takes the centre; half a pixel goes to the even side") {
  const Tensor image =
      torch::arange(7).to(torch::kFloat).view({1, 1, 1, 1, 7}).expand({1, 1, 1, 7, 7});
  const InputTransform transform{.crop = 4};
  CHECK(transform.apply(image)[0][0][0][0][0].item<float>() == 2);  // (7 - 4) / 2 = 1.5 -> 2
  CHECK(message_of([&] {
          transform.output_shape(Shape{1, 3, 9});
        }).find("a crop of 4x4 pixels; images have 3x9") != std::string::npos);
}

TEST_CASE("channels are normalised; a grey image serves for three") {
  const InputTransform transform{.mean = {0.5, 0, 0.25}, .std = {0.5, 1, 0.25}};
  const Tensor grey = torch::full({1, 1, 1, 2, 2}, 0.75);
  const Tensor x = transform.apply(grey);
  CHECK(transform.output_shape(Shape{1, 2, 2}) == Shape{3, 2, 2});
  for (const auto& [channel, value] : {std::pair{0, 0.5}, std::pair{1, 0.75}, std::pair{2, 2.0}})
    CHECK(x[0][0][channel][1][1].item<double>() == value);
  CHECK(message_of([&] {
          transform.output_shape(Shape{2, 2, 2});
        }).find("images of 3 channels; these have 2") != std::string::npos);
}

}  // namespace kshot::input_transform_test
