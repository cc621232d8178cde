// The twelve-layer residual network of few-shot learning (Oreshkin et al. 2018, TADAM; this form:
// Lee et al. 2019, MetaOptNet). Four blocks of three 3x3 convolutions with LeakyReLU 0.1, a
// shortcut of a 1x1 convolution and norm, and 2x2 maxima at the end. Parameters are called as in
// the code of Tian et al. 2020 ("Rethinking few-shot image classification"), whose files load.
// Differences from MetaOptNet's code:
//   1. Dropped squares are scaled image by image (see drop_block()), and their share is constant:
//      the code raises it over the first iterations.
//   2. The code drops single features behind the first two blocks; here they drop nothing.
#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/dropout.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"

namespace kshot {
namespace {

struct ResNet12Options {
  std::vector<int64_t> channels{64, 160, 320, 640};
  double negative_slope = 0.1;
  double drop_block = 0;
  int64_t drop_block_size = 5;
  int64_t drop_block_stages = 2;
  double norm_eps = 1e-5;
  std::string init = "he_normal_fan_out";
  std::string features = "mean";

  void describe(Fields& fields) {
    fields.option("channels", channels,
                  {.help = "output channels of each block", .min = 1, .max = 8192});
    fields.option("negative_slope", negative_slope,
                  {.help = "slope of LeakyReLU; 0: ReLU", .min = 0, .max = 1});
    fields.option(
        "drop_block", drop_block,
        {.help = "share of the map that DropBlock zeroes in training", .min = 0, .max = 0.9});
    fields.option("drop_block_size", drop_block_size,
                  {.help = "side of the squares that it zeroes, in pixels of the map", .min = 1});
    fields.option("drop_block_stages", drop_block_stages,
                  {.help = "behind how many blocks, from the last, it does so", .min = 0});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
    fields.option("features", features, map_features_option());
  }
};

class ResNet12 final : public ListedBackbone {
 public:
  explicit ResNet12(const ResNet12Options& options)
      : ListedBackbone(options.init), options_(options) {
    if (options_.channels.empty() || options_.channels.size() > 8) {
      throw Error(Exit::bad_spec, "backbone.channels has {} numbers, expected 1 to 8 blocks",
                  options_.channels.size());
    }
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = images;
    for (size_t i = 0; i < options_.channels.size(); ++i) {
      x = residual(x, params, block_name(i), forward);
      if (static_cast<int64_t>(options_.channels.size() - i) <= options_.drop_block_stages)
        x = drop_block(x, options_.drop_block, options_.drop_block_size, i, forward);
    }
    return map_features(x, options_.features);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    const size_t blocks = options_.channels.size();
    require_images("resnet12", input, int64_t{1} << blocks);
    return map_features_shape(options_.channels.back(), input[1] >> blocks, input[2] >> blocks,
                              options_.features);
  }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    int64_t inputs = input[0];
    for (size_t i = 0; i < options_.channels.size(); ++i) {
      const std::string at = block_name(i);
      const int64_t outputs = options_.channels[i];
      for (int64_t j = 1; j <= 3; ++j) {
        weights.layer(fmt::format("{}.conv{}", at, j), {outputs, j == 1 ? inputs : outputs, 3, 3},
                      false);
        weights.batch_norm(fmt::format("{}.bn{}", at, j), outputs);
      }
      weights.layer(at + ".downsample.0", {outputs, inputs, 1, 1}, false);
      weights.batch_norm(at + ".downsample.1", outputs);
      inputs = outputs;
    }
  }

 private:
  static std::string block_name(size_t i) { return fmt::format("layer{}.0", i + 1); }

  Tensor residual(const Tensor& x, const ParamList& params, const std::string& at,
                  Forward& forward) const {
    ConvBlock inner;
    inner.pool = false;
    inner.negative_slope = options_.negative_slope;
    inner.eps = options_.norm_eps;
    ConvBlock last = inner;
    last.negative_slope = 1;
    const auto step = [&](const Tensor& in, const std::string& conv, const std::string& norm,
                          const ConvBlock& block) {
      return conv_block(in, params, BlockNames{at + conv, at + norm}, block, forward);
    };
    Tensor y = step(x, ".conv1", ".bn1", inner);
    y = step(y, ".conv2", ".bn2", inner);
    y = step(y, ".conv3", ".bn3", last);
    y = y + step(x, ".downsample.0", ".downsample.1", last);
    // Maxima first: they commute with an increasing activation.
    return torch::leaky_relu(max_pool2(y), options_.negative_slope);
  }

  ResNet12Options options_;
};

const Registration<BackbonePlugin> kResNet12{BackbonePlugin::with<ResNet12Options>(
    {.name = "resnet12",
     .summary = "four residual blocks of three 3x3 convolutions with LeakyReLU and 2x2 maxima",
     .paper = "Oreshkin et al. 2018, TADAM; Lee et al. 2019, MetaOptNet"},
    [](const ResNet12Options& options) { return std::make_shared<const ResNet12>(options); })};

}  // namespace
}  // namespace kshot
