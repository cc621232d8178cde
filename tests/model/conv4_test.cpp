#include "framework/base/error.h"
#include "framework/model/backbone.h"
#include "framework/model/conv_block.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::conv4_test {

using test::difference;
using test::numbers;

const std::vector<int64_t> kOmniglot{1, 28, 28}, kMiniImageNet{3, 84, 84};

BackbonePtr conv4(Json options = Json::object()) {
  options["name"] = "conv4";
  return Registry<BackbonePlugin>::instance().find("conv4").make(options);
}

ParamList init(const Backbone& backbone, const std::vector<int64_t>& input) {
  return backbone.init({input, 5}, Stream(1, Purpose::initialisation, 0));
}

/// What the network announces and what it does on two images.
std::vector<int64_t> feature_shape(const Json& options, const std::vector<int64_t>& input) {
  const auto backbone = conv4(options);
  Forward forward;
  const Tensor features = backbone->features(
      init(*backbone, input), torch::zeros({1, 2, input[0], input[1], input[2]}), forward);
  const auto announced = backbone->output_shape(input);
  CHECK(features.sizes().slice(2).vec() == announced);
  return announced;
}

using Sizes = std::vector<int64_t>;

TEST_CASE("the default network on Omniglot has 111,936 parameters and 64 features") {
  const auto backbone = conv4();
  CHECK(count_learnable(init(*backbone, kOmniglot)) == 111936);
  CHECK(feature_shape({}, kOmniglot) == Sizes{64});
}

TEST_CASE("the papers' networks have the feature sizes that their code has") {
  const Json maml{{"reduce", "stride"}, {"padding", "same"}};
  Json mean = maml, map = maml;
  mean["features"] = "mean";
  map["features"] = "map";
  CHECK(feature_shape(map, kOmniglot) == Sizes{64, 2, 2});
  CHECK(feature_shape(mean, kOmniglot) == Sizes{64});   // MAML: spatial mean
  CHECK(feature_shape(maml, kOmniglot) == Sizes{256});  // Reptile: flattened
  CHECK(feature_shape({{"channels", 32}}, kMiniImageNet) == Sizes{800});
  CHECK(feature_shape({{"channels", 64}}, kMiniImageNet) == Sizes{1600});
  CHECK(feature_shape({{"channels", 48}}, kMiniImageNet) == Sizes{1200});  // MAML++
  CHECK(feature_shape({{"channels", 32},
                       {"pool_edge", "keep"},
                       {"padding", "same"},
                       {"order", {"norm", "pool", "activation"}}},
                      kMiniImageNet) == Sizes{1152});  // Reptile
}

TEST_CASE("height and width by block follow padding, reduction and the number of reduced blocks") {
  const auto map = [](Json options, int64_t size) {
    options["features"] = "map";
    options["channels"] = 2;
    return feature_shape(options, {1, size, size})[1];
  };
  CHECK(map({}, 28) == 1);                       // 28 14 7 3 1
  CHECK(map({{"pool_edge", "keep"}}, 28) == 2);  // 28 14 7 4 2
  CHECK(map({{"reduced_blocks", 2}}, 28) == 7);  // 28 14 7 7 7
  CHECK(map({{"reduced_blocks", 0}}, 28) == 28);
  CHECK(map({{"reduced_blocks", 0}, {"padding", "none"}}, 28) == 20);
  CHECK(map({{"blocks", 2}, {"padding", "none"}}, 28) == 5);                        // 26 13 11 5
  CHECK(map({{"blocks", 2}, {"padding", "none"}, {"reduce", "stride"}}, 28) == 6);  // 13 6
  CHECK(map({{"reduce", "stride"}}, 28) == 2);                                      // 14 7 4 2
  CHECK(map({{"blocks", 1}, {"reduce", "stride"}}, 5) == 3);
  CHECK(map({{"blocks", 1}}, 5) == 2);
  // Relation networks' embedding: 26 13 11 5 5 5 and 82 41 39 19 19 19
  const Json relation{{"reduced_blocks", 2}, {"unpadded_blocks", 2}};
  CHECK(map(relation, 28) == 5);
  CHECK(map(relation, 84) == 19);
  CHECK(map({{"unpadded_blocks", 1}, {"padding", "same"}}, 28) == 1);  // 26 13, 13 6, 6 3, 3 1
  CHECK(map({{"unpadded_blocks", 9}, {"padding", "same"}}, 46) == map({{"padding", "none"}}, 46));
}

TEST_CASE("what an option leaves out has no parameter") {
  const auto names = [](const Json& options) {
    const auto backbone = conv4(options);
    std::vector<std::string> result;
    for (const Param& param : init(*backbone, kOmniglot)) {
      if (param.name.starts_with("block1.")) result.push_back(param.name.substr(7));
    }
    return result;
  };
  using Names = std::vector<std::string>;
  CHECK(names({}) == Names{"conv.weight", "conv.bias", "norm.weight", "norm.bias",
                           "norm.running_mean", "norm.running_var"});
  CHECK(names({{"norm_gamma", false}}) ==
        Names{"conv.weight", "conv.bias", "norm.bias", "norm.running_mean", "norm.running_var"});
  CHECK(names({{"norm_beta", false}, {"conv_bias", false}}) ==
        Names{"conv.weight", "norm.weight", "norm.running_mean", "norm.running_var"});
  CHECK(names({{"norm", false}}) == Names{"conv.weight", "conv.bias"});
}

TEST_CASE(
    "gamma is 1, beta 0, the running mean 0 and the running variance 1 at first; these two are "
    "buffers") {
  const auto backbone = conv4();
  const ParamList params = init(*backbone, kOmniglot);
  CHECK(torch::equal(params["block2.norm.weight"], torch::ones({64})));
  CHECK(torch::equal(params["block2.norm.bias"], torch::zeros({64})));
  CHECK(torch::equal(params["block2.norm.running_mean"], torch::zeros({64})));
  CHECK(torch::equal(params["block2.norm.running_var"], torch::ones({64})));
  CHECK(params.with_role(Role::buffer).size() == 8);
  CHECK(params.find("block2.norm.running_var")->role == Role::buffer);
}

TEST_CASE("channels may differ by block") {
  const auto backbone = conv4({{"channels", {4, 6, 8, 10}}});
  const ParamList params = init(*backbone, kOmniglot);
  CHECK(params["block1.conv.weight"].sizes() == torch::IntArrayRef({4, 1, 3, 3}));
  CHECK(params["block4.conv.weight"].sizes() == torch::IntArrayRef({10, 8, 3, 3}));
  CHECK(backbone->output_shape(kOmniglot) == Sizes{10});
}

// ---- the network against the plain composition of LibTorch's operations

using Compose = std::function<Tensor(const Tensor& x, const ParamList& p)>;

/// One block on 9x9 images of 2 channels, with moved parameters so that each one shows.
void check_one_block(const Json& options, const Compose& compose) {
  Json block{{"blocks", 1}, {"channels", 3}, {"features", "map"}};
  if (options.is_object()) block.update(options);
  CAPTURE(block.dump());
  const auto backbone = conv4(block);
  ParamList params = init(*backbone, {2, 9, 9}).to(torch::kCPU, torch::kDouble).clone();
  uint64_t index = 10;
  for (Param& param : params)
    param.value = param.value + 0.3 * numbers(param.value.sizes().vec(), ++index);
  const Tensor images = numbers({1, 4, 2, 9, 9}, 1);
  const auto check = [&](const Tensor& found, const Tensor& expected) {
    CHECK(difference(found, expected) <= 1e-10);
  };
  const ParamList own = params.attach();
  const Tensor expected = compose(images[0], own.scope("block1"));
  const std::vector<Tensor> learnable = own.with_role(Role::learnable).values();
  const auto wanted = test::gradients(test::curved_sum(expected, 2), learnable, false);
  for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
    CAPTURE(static_cast<int>(kernels));
    Forward forward;
    const Tensor found = with_kernels(backbone, kernels)->features(own, images, forward)[0];
    check(found, expected);
    const auto gradients = test::gradients(test::curved_sum(found, 2), learnable, false);
    for (size_t i = 0; i < wanted.size(); ++i) check(gradients[i], wanted[i]);
  }
}

Tensor conv(const Tensor& x, const ParamList& p) {
  return torch::conv2d(x, p["conv.weight"], p["conv.bias"], 1, 1);
}

Tensor norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5) {
  return torch::batch_norm(x, gamma, beta, {}, {}, true, 0.1, eps, false);
}

Tensor norm(const Tensor& x, const ParamList& p) {
  return norm(x, p["norm.weight"], p["norm.bias"]);
}

TEST_CASE("each option has the effect that it names") {
  check_one_block({}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p)), 2);
  });
  check_one_block({{"pool_edge", "keep"}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p)), 2, 2, 0, 1, true);
  });
  check_one_block({{"reduced_blocks", 0}},
                  [](const auto& x, const auto& p) { return torch::relu(norm(conv(x, p), p)); });
  check_one_block({{"reduce", "stride"}}, [](const auto& x, const auto& p) {
    return torch::relu(norm(torch::conv2d(x, p["conv.weight"], p["conv.bias"], 2, 1), p));
  });
  check_one_block({{"reduce", "stride"}, {"padding", "none"}}, [](const auto& x, const auto& p) {
    return torch::relu(norm(torch::conv2d(x, p["conv.weight"], p["conv.bias"], 2), p));
  });
  check_one_block({{"negative_slope", 0.01}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::leaky_relu(norm(conv(x, p), p), 0.01), 2);
  });
  check_one_block({{"norm", false}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(conv(x, p)), 2);
  });
  check_one_block({{"norm_gamma", false}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), {}, p["norm.bias"])), 2);
  });
  check_one_block({{"norm_beta", false}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p["norm.weight"], {})), 2);
  });
  check_one_block({{"norm_eps", 0.1}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p["norm.weight"], p["norm.bias"], 0.1)),
                             2);
  });
  check_one_block({{"conv_bias", false}, {"norm", false}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(torch::conv2d(x, p["conv.weight"], {}, 1, 1)), 2);
  });
  check_one_block({{"features", "flatten"}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p)), 2).flatten(1);
  });
  check_one_block({{"features", "mean"}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(torch::relu(norm(conv(x, p), p)), 2).mean(torch::IntArrayRef({2, 3}));
  });
}

TEST_CASE("stages come in the order given") {
  check_one_block({{"order", {"norm", "pool", "activation"}}}, [](const auto& x, const auto& p) {
    return torch::relu(torch::max_pool2d(norm(conv(x, p), p), 2));
  });
  check_one_block({{"order", {"activation", "norm", "pool"}}}, [](const auto& x, const auto& p) {
    return torch::max_pool2d(norm(torch::relu(conv(x, p)), p), 2);
  });
  check_one_block({{"order", {"activation", "pool", "norm"}}}, [](const auto& x, const auto& p) {
    return norm(torch::max_pool2d(torch::relu(conv(x, p)), 2), p);
  });
  check_one_block({{"order", {"pool", "norm", "activation"}}}, [](const auto& x, const auto& p) {
    return torch::relu(norm(torch::max_pool2d(conv(x, p), 2), p));
  });
  check_one_block({{"order", {"pool", "activation", "norm"}}}, [](const auto& x, const auto& p) {
    return norm(torch::relu(torch::max_pool2d(conv(x, p), 2)), p);
  });
}

TEST_CASE("pooling before an increasing activation gives the same bits and the same gradients") {
  for (const double slope : {0.0, 0.01}) {
    for (const bool same : {false, true}) {
      const Tensor images = numbers({2, 3, 1, 7, 7}, 1);
      ParamList params;
      params.add({"b.conv.weight", numbers({4, 1, 3, 3}, 2)});
      ConvBlock block;
      block.norm = false;
      block.negative_slope = slope;
      block.pool_same = same;
      const auto as_written = [&](const ParamList& p) {
        const Tensor map = conv2d(images, p["b.conv.weight"], Tensor(), Conv2d{});
        return max_pool2(slope == 0 ? torch::relu(map) : torch::leaky_relu(map, slope), same);
      };
      const auto gradient = [&](const std::function<Tensor(const ParamList&)>& function) {
        const ParamList own = params.attach();
        const Tensor y = function(own);
        return std::pair{
            y.detach(),
            torch::autograd::grad({(y * numbers(y.sizes().vec(), 3)).sum()}, own.values())[0]};
      };
      const auto [swapped, swapped_gradient] = gradient([&](const ParamList& p) {
        Forward forward;
        return conv_block(images, p, "b", block, forward);
      });
      const auto [written, written_gradient] = gradient(as_written);
      CHECK(torch::equal(swapped, written));
      CHECK(torch::equal(swapped_gradient, written_gradient));
    }
  }
}

TEST_CASE("fast kernels meet the same statistics and use them in the same way") {
  const BackbonePtr reference = conv4({{"blocks", 2}, {"channels", 3}});
  const BackbonePtr fast = with_kernels(reference, Kernels::fast);
  ParamList params = init(*reference, {2, 9, 9}).to(torch::kCPU, torch::kDouble);
  const Tensor support = numbers({2, 4, 2, 9, 9}, 1), query = numbers({2, 3, 2, 9, 9}, 2);
  NormStatistics met[2];
  Tensor given[2], running[2];
  size_t i = 0;
  for (const BackbonePtr& backbone : {reference, fast}) {
    Forward forward{.norm = NormMode::batch, .met = &met[i]};
    backbone->features(params, support, forward);
    Forward with_support{.norm = NormMode::given, .given = &met[i]};
    Forward with_running{.norm = NormMode::running};
    const torch::NoGradGuard no_grad;
    given[i] = backbone->features(params, query, with_support);
    running[i++] = backbone->features(params, query, with_running);
  }
  REQUIRE(met[1].size() == met[0].size());
  for (size_t layer = 0; layer < met[0].size(); ++layer) {
    CHECK(met[1][layer].layer == met[0][layer].layer);
    CHECK(met[1][layer].count == met[0][layer].count);
    CHECK(difference(met[1][layer].mean, met[0][layer].mean) <= 1e-10);
    CHECK(difference(met[1][layer].variance, met[0][layer].variance) <= 1e-10);
  }
  CHECK(difference(given[1], given[0]) <= 1e-10);
  CHECK(difference(running[1], running[0]) <= 1e-10);
  CHECK(difference(running[1], given[1]) > 1e-3);
}

TEST_CASE("each block's statistics are met under its own name, in order") {
  const auto backbone = conv4({{"blocks", 3}, {"channels", 2}});
  NormStatistics met;
  Forward forward{.met = &met};
  backbone->features(init(*backbone, kOmniglot), torch::rand({2, 3, 1, 28, 28}), forward);
  REQUIRE(met.size() == 3);
  CHECK(met[0].layer == "block1.norm");
  CHECK(met[2].layer == "block3.norm");
  CHECK(met[0].count == 3 * 28 * 28);
  CHECK(met[2].count == 3 * 7 * 7);
  const ParamList params = init(*backbone, kOmniglot);
  for (const Param& buffer : running_buffers(met)) CHECK(params.find(buffer.name) != nullptr);
}

// ---- what does not fit

TEST_CASE("what does not fit is refused in one line that says why") {
  const auto message = [](const Json& options, const std::vector<int64_t>& input) {
    return test::message_of([&] { init(*conv4(options), input); });
  };
  CHECK(message({}, {1, 8, 8}) ==
        "images of 8x8 are too small for backbone.blocks = 4: nothing is left after block 4");
  CHECK(message({{"padding", "none"}}, {1, 28, 28}).find("too small") != std::string::npos);
  CHECK(message({{"reduce", "stride"}, {"padding", "none"}, {"blocks", 2}}, {1, 4, 28})
            .find("too small") != std::string::npos);
  CHECK(message({}, {10}) == "backbone conv4 takes images [C,H,W]; the samples have shape [10]");
  CHECK(message({{"channels", {4, 4, 4}}}, kOmniglot) ==
        "backbone.channels has 3 numbers, expected 1 or backbone.blocks = 4");
  CHECK(message({{"order", {"norm", "norm", "pool"}}}, kOmniglot).find("once each") !=
        std::string::npos);
  CHECK(message({{"channels", 0}}, kOmniglot).find("backbone.channels") != std::string::npos);
  CHECK(message({{"channls", 4}}, kOmniglot).find("channels") != std::string::npos);
  const auto error = test::caught([&] { init(*conv4(), {1, 8, 8}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
}

}  // namespace kshot::conv4_test
