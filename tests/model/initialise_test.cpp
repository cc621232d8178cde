#include "framework/model/initialise.h"

#include <cmath>

#include "framework/base/error.h"
#include "framework/model/backbone.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::initialise_test {

const Stream kStream(5, Purpose::initialisation, 0);

double mean_of(const Tensor& values) { return values.to(torch::kDouble).mean().item<double>(); }
double std_of(const Tensor& values) { return values.to(torch::kDouble).std().item<double>(); }

/// U(-bound, bound): nothing outside, values close to both ends, the variance bound^2 / 3.
void check_uniform(const Tensor& values, double bound) {
  CHECK(values.abs().max().item<double>() <= bound);
  CHECK(values.max().item<double>() > 0.99 * bound);
  CHECK(values.min().item<double>() < -0.99 * bound);
  CHECK(std::abs(mean_of(values)) < 0.02 * bound);
  CHECK(std_of(values) == doctest::Approx(bound / std::sqrt(3)).epsilon(0.02));
}

void check_normal(const Tensor& values, double std) {
  CHECK(std::abs(mean_of(values)) < 0.02 * std);
  CHECK(std_of(values) == doctest::Approx(std).epsilon(0.02));
  CHECK(values.abs().max().item<double>() > 3.5 * std);
  CHECK(values.abs().max().item<double>() < 6 * std);
  // 68.27 % of a normal distribution lie within one standard deviation.
  CHECK(mean_of(values.abs().lt(std)) == doctest::Approx(0.6827).epsilon(0.02));
}

TEST_CASE("each scheme has its bounds and variance: a convolution of 32 to 64 channels") {
  const std::vector<int64_t> kernel{64, 32, 3, 3};  // fan_in 288, fan_out 576
  check_uniform(initial_weight("pytorch", kernel, kStream), 1 / std::sqrt(288.0));
  check_uniform(initial_weight("xavier_uniform", kernel, kStream), std::sqrt(6.0 / 864));
  check_normal(initial_weight("xavier_normal", kernel, kStream), std::sqrt(2.0 / 864));
  check_normal(initial_weight("he_normal", kernel, kStream), std::sqrt(2.0 / 288));
}

TEST_CASE("each scheme has its bounds and variance: a linear layer of 300 to 100 features") {
  const std::vector<int64_t> weight{100, 300};
  check_uniform(initial_weight("pytorch", weight, kStream), 1 / std::sqrt(300.0));
  check_uniform(initial_weight("xavier_uniform", weight, kStream), std::sqrt(6.0 / 400));
  check_normal(initial_weight("xavier_normal", weight, kStream), std::sqrt(2.0 / 400));
  check_normal(initial_weight("he_normal", weight, kStream), std::sqrt(2.0 / 300));
}

TEST_CASE("standard_normal is N(0, 1), whatever the fans") {
  check_normal(initial_weight("standard_normal", {100, 300}, kStream), 1);
}

TEST_CASE("truncated_normal is N(0, 0.01^2) without what lies beyond two standard deviations") {
  const Tensor values = initial_weight("truncated_normal", {100, 300}, kStream);
  CHECK(values.abs().max().item<double>() <= 0.02);
  CHECK(values.abs().max().item<double>() > 0.0199);
  CHECK(std::abs(mean_of(values)) < 2e-4);
  // The standard deviation of a normal cut at +-2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) = 0.87963.
  CHECK(std_of(values) == doctest::Approx(0.0087963).epsilon(0.01));
}

TEST_CASE("biases are drawn with torch's scheme and 0 with the others") {
  check_uniform(initial_bias("pytorch", {20000, 4}, kStream), 0.5);
  for (const std::string scheme : {"xavier_uniform", "xavier_normal", "he_normal",
                                   "he_normal_fan_out", "truncated_normal", "standard_normal"}) {
    CHECK(torch::equal(initial_bias(scheme, {64, 1, 3, 3}, kStream), torch::zeros({64})));
  }
}

TEST_CASE("every scheme on offer is known, and another one is a defect") {
  for (const std::string& scheme : initial_schemes())
    CHECK(initial_weight(scheme, {2, 3}, kStream).numel() == 6);
  const auto error = test::caught([] { initial_weight("xavier", {2, 3}, kStream); });
  REQUIRE(error);
  CHECK(error->code() == Exit::internal);
}

TEST_CASE(
    "weights are a function of the stream: the same twice, others with another seed or index") {
  const auto draw = [](uint64_t seed, uint64_t index) {
    return normal_tensor({40}, 1, Stream(seed, Purpose::initialisation, index));
  };
  CHECK(torch::equal(draw(1, 0), draw(1, 0)));
  CHECK_FALSE(torch::equal(draw(1, 0), draw(2, 0)));
  CHECK_FALSE(torch::equal(draw(1, 0), draw(1, 1)));
}

TEST_CASE("elements are drawn in row-major order: a longer tensor begins like a shorter one") {
  const Tensor few = uniform_tensor({3, 4}, 1, kStream), more = uniform_tensor({5, 4}, 1, kStream);
  CHECK(torch::equal(more.narrow(0, 0, 3), few));
}

TEST_CASE("a layer's first weights do not depend on the other layers") {
  const auto init = [](Json options) {
    options["name"] = "conv4";
    return Registry<BackbonePlugin>::instance().find("conv4").make(options)->init({{1, 28, 28}, 5},
                                                                                  kStream);
  };
  const ParamList four = init({{"channels", 8}}), two = init({{"blocks", 2}, {"channels", 8}});
  for (const Param& param : two) CHECK(torch::equal(param.value, four[param.name]));
  const ParamList bare = init({{"channels", 8}, {"conv_bias", false}, {"norm", false}});
  for (const Param& param : bare) CHECK(torch::equal(param.value, four[param.name]));
  CHECK_FALSE(torch::equal(four["block2.conv.weight"], four["block3.conv.weight"]));
}

}  // namespace kshot::initialise_test
