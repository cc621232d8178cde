#include "framework/base/error.h"
#include "framework/model/backbone.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::mlp_test {

BackbonePtr mlp(Json options = Json::object()) {
  options["name"] = "mlp";
  return Registry<BackbonePlugin>::instance().find("mlp").make(options);
}

ParamList weights_of(const BackbonePtr& backbone, const std::vector<int64_t>& input) {
  return backbone->init({input, 1}, Stream(1, Purpose::initialisation, 0));
}

Tensor features(const BackbonePtr& backbone, const ParamList& params, const Tensor& inputs) {
  Forward forward;
  return backbone->features(params, inputs, forward);
}

TEST_CASE("a layer is a linear map and an activation: worked by hand") {
  // Weights (1, -1) and (2, 1), biases 0.5 and -4: of the input (2, 1) they make 1.5 and 1; of
  // (1, 3) -1.5 and 1.
  ParamList params;
  params.add({"layer1.weight", torch::tensor({1.0, -1.0, 2.0, 1.0}).view({2, 2})});
  params.add({"layer1.bias", torch::tensor({0.5, -4.0})});
  const Tensor inputs = torch::tensor({2.0, 1.0, 1.0, 3.0}).view({1, 2, 2});
  const Tensor relu = features(mlp({{"hidden", 2}}), params, inputs);
  CHECK(torch::allclose(relu, torch::tensor({1.5, 1.0, 0.0, 1.0}).view({1, 2, 2})));
  const Tensor tanh = features(mlp({{"hidden", 2}, {"activation", "tanh"}}), params, inputs);
  CHECK(torch::allclose(tanh, torch::tensor({1.5, 1.0, -1.5, 1.0}).tanh().view({1, 2, 2})));
}

TEST_CASE("features are the activations of the last hidden layer, whatever the widths") {
  const BackbonePtr backbone = mlp({{"hidden", {7, 3, 5}}});
  const ParamList params = weights_of(backbone, {4});
  CHECK(backbone->output_shape(std::vector<int64_t>{4}) == std::vector<int64_t>{5});
  CHECK(features(backbone, params, torch::rand({2, 6, 4})).sizes() ==
        torch::IntArrayRef({2, 6, 5}));
  std::vector<std::string> names;
  for (const Param& param : params) {
    names.push_back(param.name);
    CHECK(param.role == Role::learnable);
  }
  CHECK(names == std::vector<std::string>{"layer1.weight", "layer1.bias", "layer2.weight",
                                          "layer2.bias", "layer3.weight", "layer3.bias"});
}

TEST_CASE("images are taken as vectors, row by row") {
  const BackbonePtr backbone = mlp({{"hidden", 3}});
  const ParamList params = weights_of(backbone, {2, 3, 4});
  CHECK(params["layer1.weight"].sizes() == torch::IntArrayRef({3, 24}));
  const Tensor images = torch::rand({2, 5, 2, 3, 4});
  CHECK(torch::equal(features(backbone, params, images),
                     features(backbone, params, images.flatten(2))));
}

TEST_CASE("a network without batch norm meets no statistics and needs none") {
  const BackbonePtr backbone = mlp();
  const ParamList params = weights_of(backbone, {1});
  const Tensor inputs = torch::rand({1, 4, 1});
  NormStatistics met;
  const NormStatistics none;
  Forward batch{.norm = NormMode::batch, .met = &met};
  Forward given{.norm = NormMode::given, .given = &none};
  Forward running{.norm = NormMode::running};
  const Tensor expected = backbone->features(params, inputs, batch);
  CHECK(met.empty());
  CHECK(running_buffers(met).empty());
  CHECK(torch::equal(backbone->features(params, inputs, given), expected));
  CHECK(torch::equal(backbone->features(params, inputs, running), expected));
}

TEST_CASE("a network without layers is refused") {
  const auto error = test::caught([] { mlp({{"hidden", Json::array()}}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("backbone.hidden") != std::string::npos);
}

}  // namespace kshot::mlp_test
