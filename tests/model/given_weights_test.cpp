#include "framework/model/given_weights.h"

#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::given_weights_test {

using test::caught;
using test::message_of;

BackbonePtr small_conv() {
  const Json block{{"name", "conv4"}, {"channels", 4}, {"blocks", 2}};
  return Registry<BackbonePlugin>::instance().find("conv4").make(block);
}

Shapes shapes_of(std::vector<int64_t> input) { return {.input = std::move(input), .outputs = 5}; }

/// Weights of the same network from other draws.
GivenWeights other_weights() {
  const ParamList drawn =
      small_conv()->init(shapes_of({1, 12, 12}), Stream(7, Purpose::initialisation, 0));
  return {.tensors = to_tensors(drawn, ""), .where = "FILE"};
}

ParamList started(GivenWeights given) {
  return starting_from(small_conv(), std::move(given))
      ->init(shapes_of({1, 12, 12}), Stream(1, Purpose::initialisation, 0));
}

TEST_CASE("patterns: \"*\" is any text, \"?\" one character") {
  CHECK(matches("layer4.0.conv1.weight", "layer4.*"));
  CHECK(matches("layer4.0.bn1.weight", "*.bn?.*"));
  CHECK(matches("abc", "*"));
  CHECK(matches("", "*"));
  CHECK(matches("aab", "*ab"));
  CHECK(matches("abab", "*ab"));
  CHECK(matches("a*b", "a*b"));
  CHECK_FALSE(matches("layer3.0", "layer4.*"));
  CHECK_FALSE(matches("abc", "ab"));
  CHECK_FALSE(matches("abc", "abc?"));
  CHECK_FALSE(matches("", "?"));
  CHECK_FALSE(matches("abc", ""));
}

TEST_CASE("a backbone starts from given weights, whatever is drawn") {
  const GivenWeights given = other_weights();
  const ParamList params = started(given);
  REQUIRE(params.size() == given.tensors.size());
  for (size_t i = 0; i < params.size(); ++i) {
    CHECK(params.at(i).name == given.tensors[i].name);
    CHECK(torch::equal(params.at(i).value, given.tensors[i].value));
    CHECK(params.at(i).role ==
          small_conv()
              ->init(shapes_of({1, 12, 12}), Stream(1, Purpose::initialisation, 0))
              .at(i)
              .role);
  }
}

TEST_CASE("what no pattern names never changes") {
  GivenWeights given = other_weights();
  given.trainable = {"block2.*"};
  const ParamList params = started(given);
  for (const Param& param : params) {
    const bool buffer = param.name.find("running") != std::string::npos;
    const Role expected = param.name.starts_with("block1.") ? Role::constant
                          : buffer                          ? Role::buffer
                                                            : Role::learnable;
    CHECK_MESSAGE(param.role == expected, param.name);
  }
  given.trainable = {};
  CHECK(count_learnable(started(given)) == 0);
  given.trainable = {"blok2.*"};
  const auto error = caught([&] { started(given); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("\"blok2.*\" matches no parameter") != std::string::npos);
}

TEST_CASE("every missing, extra and misshapen tensor is named") {
  GivenWeights given = other_weights();
  given.tensors[0].name = "strange";
  given.tensors[1].value = torch::zeros({3});
  const std::string message = message_of([&] { started(given); });
  CHECK(message.starts_with("FILE: "));
  for (const char* part : {"\"block1.conv.weight\" is missing", "\"strange\" is not expected",
                           "\"block1.conv.bias\" has shape"})
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

TEST_CASE("images go through the weights' transform first") {
  GivenWeights given = other_weights();
  given.input = {.crop = 12, .mean = {0.5}, .std = {0.25}};
  const BackbonePtr plain = starting_from(small_conv(), other_weights());
  const BackbonePtr changed = starting_from(small_conv(), given);
  CHECK(changed->output_shape(std::vector<int64_t>{1, 16, 14}) ==
        plain->output_shape(std::vector<int64_t>{1, 12, 12}));
  const Tensor images = test::numbers({2, 3, 1, 16, 14}, 1).to(torch::kFloat);
  const ParamList params =
      changed->init(shapes_of({1, 16, 14}), Stream(1, Purpose::initialisation, 0));
  Forward one, two;
  const Tensor cut = (images.narrow(3, 2, 12).narrow(4, 1, 12) - 0.5) / 0.25;
  CHECK(torch::equal(changed->features(params, images, one), plain->features(params, cut, two)));
}

}  // namespace kshot::given_weights_test
