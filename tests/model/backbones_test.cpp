// What the architectures beyond conv4 announce, and how they behave in every mode of a pass. Their
// gradients and their tasks side by side are in tests/conformance_test.cpp, torchvision's numbers
// in backbones_golden_test.cpp.
#include <algorithm>
#include <set>

#include "framework/base/error.h"
#include "framework/model/backbone.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"
#include "tests/model/reduced_networks.h"

namespace kshot::backbones_test {

using test::difference;
using test::numbers;
using Sizes = std::vector<int64_t>;

BackbonePtr backbone(const std::string& name, Json options = Json::object()) {
  options["name"] = name;
  return Registry<BackbonePlugin>::instance().find(name).make(options);
}

BackbonePtr reduced(const std::string& name, const Json& options = Json::object()) {
  Json block = test::reduced_block(name);
  block.update(options);
  return Registry<BackbonePlugin>::instance().find(name).make(block);
}

/// Fresh weights in float64, moved so that each one shows.
ParamList moved_weights(const Backbone& network, const Sizes& image) {
  ParamList params = network.init({image, 5}, Stream(1, Purpose::initialisation, 0))
                         .to(torch::kCPU, torch::kDouble)
                         .clone();
  uint64_t index = 100;
  for (Param& param : params)
    param.value = param.value + 0.05 * numbers(param.value.sizes().vec(), ++index);
  return params;
}

Tensor images_for(const std::string& name, int64_t tasks, int64_t count) {
  Sizes shape{tasks, count};
  const Sizes image = test::reduced_network(name).image;
  shape.insert(shape.end(), image.begin(), image.end());
  return numbers(shape, 7);
}

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& [name, network] : test::reduced_networks()) names.push_back(name);
  return names;
}

// ---- what they announce

TEST_CASE("parameters of each architecture with a head of 1000 classes, as published") {
  const std::map<std::string, int64_t> published{{"resnet18", 11689512},
                                                 {"resnet34", 21797672},
                                                 {"resnet50", 25557032},
                                                 {"resnet101", 44549160},
                                                 {"vgg11", 132863336},
                                                 {"vgg16", 138357544},
                                                 {"vgg19", 143667240},
                                                 {"vgg11_bn", 132868840},
                                                 {"vgg16_bn", 138365992},
                                                 {"vgg19_bn", 143678248},
                                                 {"mobilenet_v3_small", 2542856},
                                                 {"mobilenet_v3_large", 5483032},
                                                 {"vit_b_16", 86567656},
                                                 {"vit_s_16", 22050664}};
  const Sizes image{3, 224, 224};
  for (const auto& [name, count] : published) {
    CAPTURE(name);
    const auto network = backbone(name);
    const int64_t head = 1000 * (network->output_shape(image)[0] + 1);
    CHECK(count_learnable(network->layout({image, 1000})) + head == count);
  }
}

TEST_CASE("features have the papers' sizes") {
  const Sizes imagenet{3, 224, 224}, mini{3, 84, 84}, cifar{3, 32, 32};
  const Json map{{"features", "map"}}, small{{"features", "map"}, {"stem", "small"}};
  CHECK(backbone("resnet18")->output_shape(imagenet) == Sizes{512});
  CHECK(backbone("resnet18", map)->output_shape(imagenet) == Sizes{512, 7, 7});
  CHECK(backbone("resnet50", map)->output_shape(imagenet) == Sizes{2048, 7, 7});
  CHECK(backbone("resnet10", map)->output_shape(mini) == Sizes{512, 3, 3});
  CHECK(backbone("resnet10", small)->output_shape(mini) == Sizes{512, 11, 11});
  CHECK(backbone("resnet12")->output_shape(mini) == Sizes{640});
  CHECK(backbone("resnet12", map)->output_shape(mini) == Sizes{640, 5, 5});
  CHECK(backbone("resnet12", {{"features", "flatten"}})->output_shape(mini) == Sizes{16000});
  CHECK(backbone("wide_resnet28_10", map)->output_shape(cifar) == Sizes{640, 8, 8});
  CHECK(backbone("vgg16")->output_shape(imagenet) == Sizes{4096});
  CHECK(backbone("vgg16", map)->output_shape(imagenet) == Sizes{512, 7, 7});
  const Sizes larger{3, 299, 299};
  CHECK(backbone("inception_v3", map)->output_shape(larger) == Sizes{2048, 8, 8});
  CHECK(backbone("mobilenet_v3_small", map)->output_shape(imagenet) == Sizes{576, 7, 7});
  CHECK(backbone("mobilenet_v3_large", map)->output_shape(imagenet) == Sizes{960, 7, 7});
  CHECK(backbone("mobilenet_v3_large")->output_shape(imagenet) == Sizes{1280});
  CHECK(backbone("vit_b_16")->output_shape(imagenet) == Sizes{768});
  CHECK(backbone("vit_s_16")->output_shape(Sizes{3, 80, 96}) == Sizes{384});
}

TEST_CASE("parameters are called as in torchvision's and timm's files") {
  const auto has = [](const std::string& name, const std::vector<std::string>& expected) {
    CAPTURE(name);
    const ParamList layout = backbone(name)->layout({{3, 224, 224}, 10});
    for (const std::string& param : expected) {
      CAPTURE(param);
      CHECK(layout.find(param) != nullptr);
    }
  };
  has("resnet50", {"conv1.weight", "bn1.running_var", "layer1.0.conv3.weight", "layer4.2.bn3.bias",
                   "layer1.0.downsample.0.weight", "layer1.0.downsample.1.running_mean"});
  has("vgg16_bn", {"features.0.weight", "features.1.running_mean", "features.41.running_var",
                   "classifier.3.bias"});
  has("vgg16", {"features.28.bias", "classifier.0.weight"});
  has("inception_v3", {"Conv2d_1a_3x3.conv.weight", "Mixed_6e.branch7x7dbl_5.bn.running_var",
                       "Mixed_7c.branch3x3dbl_3b.conv.weight", "Mixed_5b.branch_pool.bn.bias"});
  has("mobilenet_v3_small", {"features.0.0.weight", "features.1.block.1.fc1.bias",
                             "features.12.1.running_var", "classifier.0.weight"});
  has("vit_b_16", {"class_token", "conv_proj.bias", "encoder.pos_embedding",
                   "encoder.layers.encoder_layer_11.self_attention.in_proj_weight",
                   "encoder.layers.encoder_layer_0.mlp.3.bias", "encoder.ln.weight"});
  has("vit_s_16", {"cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.11.attn.qkv.bias",
                   "blocks.0.mlp.fc2.weight", "norm.bias"});
}

TEST_CASE("what does not fit is refused in one line that names the sizes") {
  const auto message = [](const std::string& name, const Json& options, const Sizes& input) {
    return test::message_of([&] { backbone(name, options)->output_shape(input); });
  };
  CHECK(message("resnet18", {}, {10}) ==
        "backbone resnet18 takes images [C,H,W]; the samples have shape [10]");
  CHECK(message("resnet12", {}, {3, 15, 84}) ==
        "images of 15x84 are too small for backbone resnet12: expected 16x16 at least");
  CHECK(message("vgg16", {}, {3, 28, 28}) ==
        "images of 28x28 are too small for backbone vgg16: expected 32x32 at least");
  CHECK(message("inception_v3", {}, {3, 74, 224}) ==
        "images of 74x224 are too small for backbone inception_v3: expected 75x75 at least");
  CHECK(message("vit_b_16", {}, {3, 84, 84}) ==
        "images of 84x84 cannot be cut into patches of backbone.patch = 16 pixels: expected "
        "multiples of it");
  CHECK(message("vit_b_16", {{"heads", 5}}, {3, 80, 80}) ==
        "backbone.width is 768, expected a multiple of backbone.heads = 5");
  CHECK(message("vgg11", {{"blocks", {1, 1}}}, {3, 32, 32}) ==
        "backbone.blocks has 2 numbers, expected one for each of 5 stages");
  CHECK(message("resnet18", {{"blocks", Json::array()}}, {3, 32, 32}) ==
        "backbone.blocks has 0 numbers, expected 1 to 8 stages");
  const auto error = test::caught([] { backbone("vgg16")->output_shape(Sizes{3, 28, 28}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
}

TEST_CASE("the smallest image that is not refused passes, with running statistics") {
  for (const auto& [name, side] : std::map<std::string, int64_t>{{"resnet10", 1},
                                                                 {"resnet12", 8},
                                                                 {"wide_resnet28_10", 1},
                                                                 {"vgg11_bn", 32},
                                                                 {"inception_v3", 75},
                                                                 {"mobilenet_v3_small", 1},
                                                                 {"vit_b_16", 4}}) {
    CAPTURE(name);
    const auto network = reduced(name);
    Forward forward{.norm = NormMode::running};
    const Tensor features = network->features(moved_weights(*network, {1, side, side}),
                                              numbers({1, 2, 1, side, side}, 3), forward);
    CHECK(features.sizes().slice(2).vec() == network->output_shape(Sizes{1, side, side}));
    CHECK(torch::isfinite(features).all().item<bool>());
  }
}

TEST_CASE("a residual network's convolutions begin as N(0, 2 / fan_out), its gammas at 1") {
  const auto network = backbone("resnet10", {{"width", 32}});
  const ParamList params = network->init({{3, 32, 32}, 5}, Stream(1, Purpose::initialisation, 0));
  const double std = params["layer3.0.conv2.weight"].std().item<double>();
  CHECK(std == doctest::Approx(std::sqrt(2.0 / (128 * 9))).epsilon(0.02));
  CHECK(torch::equal(params["layer3.0.bn2.weight"], torch::ones({128})));
  CHECK(params.find("layer3.0.bn2.running_var")->role == Role::buffer);
}

// ---- how they behave

TEST_CASE("each norm's statistics are met under the name of its running buffers, all of them") {
  for (const std::string& name : architectures()) {
    CAPTURE(name);
    const auto network = reduced(name);
    const ParamList params = moved_weights(*network, test::reduced_network(name).image);
    NormStatistics met;
    Forward forward{.met = &met};
    network->features(params, images_for(name, 2, 3), forward);
    std::set<std::string> expected, found;
    for (const Param& buffer : params.with_role(Role::buffer)) expected.insert(buffer.name);
    for (const Param& buffer : running_buffers(met)) {
      CHECK(found.insert(buffer.name).second);
      CHECK(buffer.value.size(0) == 2);
    }
    CHECK(found == expected);
  }
}

TEST_CASE("given the statistics that a batch met, its features are the same again") {
  for (const std::string& name : architectures()) {
    CAPTURE(name);
    const auto network = reduced(name);
    const ParamList params = moved_weights(*network, test::reduced_network(name).image);
    const Tensor images = images_for(name, 2, 4);
    NormStatistics met;
    Forward batch{.met = &met}, given{.norm = NormMode::given, .given = &met};
    const Tensor expected = network->features(params, images, batch);
    CHECK(difference(network->features(params, images, given), expected) <= 1e-9);
  }
}

/// Features of one pass and their derivatives by images and parameters.
test::Derivatives pass_derivatives(const BackbonePtr& network, const ParamList& params,
                                   const Tensor& images, NormMode norm, bool second) {
  const ParamList learnable = params.with_role(Role::learnable);
  std::vector<Tensor> at = learnable.values();
  at.push_back(images);
  const test::Function compute = [&](const std::vector<Tensor>& in) {
    ParamList all = learnable.with_values({in.begin(), in.end() - 1});
    for (const Param& buffer : params.with_role(Role::buffer)) all.add(buffer);
    Forward forward{.norm = norm};
    return network->features(all, in.back(), forward);
  };
  if (second) return test::derivatives(compute, at);
  const std::vector<Tensor> leaves = test::leaves(at);
  test::Derivatives found;
  found.values = compute(leaves);
  found.first = test::gradients(test::curved_sum(found.values, 1001), leaves, false);
  return found;
}

void check_same(const std::vector<Tensor>& fast, const std::vector<Tensor>& plain) {
  REQUIRE(fast.size() == plain.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(i);
    CHECK(difference(fast[i], plain[i]) <= 1e-9 * (1 + plain[i].abs().max().item<double>()));
  }
}

void check_fast_equals_reference(const std::string& name, NormMode norm, bool second) {
  CAPTURE(name);
  CAPTURE(static_cast<int>(norm));
  const auto network = reduced(name);
  const ParamList params = moved_weights(*network, test::reduced_network(name).image);
  const auto by = [&](Kernels kernels) {
    return pass_derivatives(with_kernels(network, kernels), params, images_for(name, 1, 4), norm,
                            second);
  };
  const test::Derivatives fast = by(Kernels::fast), plain = by(Kernels::reference);
  CHECK(difference(fast.values, plain.values) <= 1e-10);
  check_same(fast.first, plain.first);
  check_same(fast.second, plain.second);
}

TEST_CASE("every architecture: fast kernels equal the reference, values and gradients") {
  for (const std::string& name : architectures()) {
    check_fast_equals_reference(name, NormMode::batch, false);
    check_fast_equals_reference(name, NormMode::running, false);
  }
}

TEST_CASE("a network of each family: fast kernels equal the reference to the second derivative") {
  for (const std::string name : {"resnet10", "resnet12", "resnet50", "wide_resnet28_10", "vgg11_bn",
                                 "mobilenet_v3_small", "vit_b_16"}) {
    check_fast_equals_reference(name, NormMode::batch, true);
  }
}

std::map<std::string, std::string> paths_of(const std::string& name, const Json& options,
                                            const Sizes& image) {
  const auto log = std::make_shared<PathLog>();
  const auto network = with_kernels(backbone(name, options), Kernels::fast, log);
  Forward forward;
  network->features(network->init({image, 5}, Stream(1, Purpose::initialisation, 0)),
                    torch::rand({1, 2, image[0], image[1], image[2]}), forward);
  std::map<std::string, std::string> paths;
  for (const auto& layer : log->layers())
    paths[layer.name] = fmt::format("{}", fmt::join(layer.paths, "; "));
  return paths;
}

TEST_CASE("networks say layer by layer what computed them, and what fell back") {
  const auto twelve = paths_of("resnet12", {{"channels", {16, 32}}}, {3, 16, 16});
  CHECK(twelve.size() == 8);
  CHECK(twelve.at("layer1.0.conv1") == "convolution direct, the rest fused");
  CHECK(twelve.at("layer2.0.conv3") == "convolution winograd, the rest fused");
  CHECK(twelve.at("layer2.0.downsample.0") == "convolution library, the rest fused");
  const auto mobile = paths_of("mobilenet_v3_small", {{"width", 0.25}}, {3, 32, 32});
  CHECK(mobile.at("features.2.block.1.0") == "convolution reference, the rest fused");
  CHECK(mobile.at("classifier.0") == "fused");
  const auto wide = paths_of("wide_resnet28_10", {{"blocks", 1}, {"widen", 2}}, {3, 16, 16});
  CHECK(wide.at("block1.layer.0.bn1") == "fused");
  CHECK(wide.at("block2.layer.0.conv1") == "convolution library, the rest fused");
  CHECK(wide.at("block2.layer.0.conv2") == "convolution winograd");
  const auto vit = paths_of("vit_s_16", {{"width", 24}, {"depth", 1}}, {3, 32, 32});
  CHECK(vit.at("patch_embed.proj") == "convolution reference");
  CHECK(vit.at("blocks.0.attn.qkv.weight") == "fused");
}

// ---- what they drop in training

struct Dropping {
  std::string name;
  Json options;
};

std::vector<Dropping> dropping_networks() {
  return {{"resnet12", {{"drop_block", 0.3}, {"drop_block_size", 2}}},
          {"wide_resnet28_10", {{"dropout", 0.3}}},
          {"vgg11", {{"dropout", 0.3}}},
          {"mobilenet_v3_small", {{"dropout", 0.3}}},
          {"vit_b_16", {{"dropout", 0.3}}}};
}

TEST_CASE("features are dropped in training only, by each task's own stream") {
  const std::vector<Stream> streams{Stream(1, Purpose::dropout, 0), Stream(1, Purpose::dropout, 1)};
  const std::vector<Stream> others{Stream(1, Purpose::dropout, 5), Stream(1, Purpose::dropout, 1)};
  for (const Dropping& dropping : dropping_networks()) {
    CAPTURE(dropping.name);
    const auto network = reduced(dropping.name, dropping.options);
    const ParamList params = moved_weights(*network, test::reduced_network(dropping.name).image);
    const Tensor images = images_for(dropping.name, 2, 4);
    const auto features = [&](bool training, std::span<const Stream> from, int64_t first,
                              int64_t count) {
      Forward forward{.training = training, .streams = from};
      return network->features(params, images.narrow(0, first, count), forward);
    };
    const Tensor kept = features(false, {}, 0, 2), dropped = features(true, streams, 0, 2);
    CHECK(difference(dropped[0], kept[0]) > 1e-3);
    CHECK(torch::equal(features(true, streams, 0, 2), dropped));
    const Tensor other = features(true, others, 0, 2);
    CHECK(difference(other[0], dropped[0]) > 1e-3);
    CHECK(torch::equal(other[1], dropped[1]));
    const Tensor alone = features(true, std::span(streams).subspan(1), 1, 1);
    CHECK(difference(alone[0], dropped[1]) <= 1e-9);
    const auto message = test::message_of([&] { features(true, {}, 0, 2); });
    CHECK(message.find("random streams for 0 of 2 tasks") != std::string::npos);
  }
}

TEST_CASE("what the options do not ask to drop needs no streams") {
  for (const std::string& name : architectures()) {
    CAPTURE(name);
    const auto network = reduced(name);
    const ParamList params = moved_weights(*network, test::reduced_network(name).image);
    Forward training{.training = true}, testing;
    const Tensor images = images_for(name, 1, 4);
    CHECK(torch::equal(network->features(params, images, training),
                       network->features(params, images, testing)));
  }
}

}  // namespace kshot::backbones_test
