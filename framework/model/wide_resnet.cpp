// The wide residual network of 28 layers and widening factor 10 (Zagoruyko & Komodakis 2016), which
// normalises and activates before each convolution. Three stages of 16, 32 and 64 channels times
// the factor; norm, ReLU and the spatial mean at the end. A block that changes channels takes its
// shortcut, a 1x1 convolution, from its activated input. Parameters are called as in the code of
// Mangla et al. 2020 (S2M2), whose few-shot weights are of this network.
#include "framework/model/conv_block.h"
#include "framework/model/dropout.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"

namespace kshot {
namespace {

struct WideResNetOptions {
  int64_t blocks = 4;
  int64_t widen = 10;
  int64_t base = 16;
  double dropout = 0;
  double norm_eps = 1e-5;
  std::string init = "he_normal_fan_out";
  std::string features = "mean";

  void describe(Fields& fields) {
    fields.option("blocks", blocks,
                  {.help = "blocks in each of the three stages; 6 blocks + 4 layers in all",
                   .symbol = "N",
                   .min = 1,
                   .max = 1000});
    fields.option("widen", widen,
                  {.help = "how many times as wide as the first residual networks",
                   .symbol = "k",
                   .min = 1,
                   .max = 512});
    fields.option("base", base,
                  {.help = "channels of the first convolution", .min = 1, .max = 8192});
    fields.option("dropout", dropout,
                  {.help = "probability of dropping a feature between a block's convolutions in "
                           "training",
                   .min = 0,
                   .max = 0.99});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
    fields.option("features", features, map_features_option());
  }
};

struct WideBlock {
  std::string name;
  int64_t inputs, outputs, stride;

  bool has_shortcut() const { return inputs != outputs || stride != 1; }
};

class WideResNet final : public ListedBackbone {
 public:
  explicit WideResNet(const WideResNetOptions& options)
      : ListedBackbone(options.init), options_(options) {
    int64_t inputs = options_.base;
    for (int64_t stage = 0; stage < 3; ++stage) {
      const int64_t outputs = (options_.base * options_.widen) << stage;
      for (int64_t i = 0; i < options_.blocks; ++i) {
        const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        blocks_.push_back({fmt::format("block{}.layer.{}", stage + 1, i), inputs, outputs, stride});
        inputs = outputs;
      }
    }
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = conv_block(images, params, BlockNames{"conv1"}, bare(1), forward);
    for (size_t i = 0; i < blocks_.size(); ++i) x = residual(x, params, blocks_[i], i, forward);
    return map_features(norm_block(x, params, "bn1", activated(1), forward), options_.features);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images("wide_resnet28_10", input, 1);
    const auto quarter = [](int64_t size) {
      return size_after(size_after(size, 3, {.stride = 2}), 3, {.stride = 2});
    };
    return map_features_shape(blocks_.back().outputs, quarter(input[1]), quarter(input[2]),
                              options_.features);
  }

  std::string head() const override { return "fc"; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    weights.layer("conv1", {options_.base, input[0], 3, 3}, false);
    for (const WideBlock& block : blocks_) {
      weights.batch_norm(block.name + ".bn1", block.inputs);
      weights.layer(block.name + ".conv1", {block.outputs, block.inputs, 3, 3}, false);
      weights.batch_norm(block.name + ".bn2", block.outputs);
      weights.layer(block.name + ".conv2", {block.outputs, block.outputs, 3, 3}, false);
      if (block.has_shortcut())
        weights.layer(block.name + ".convShortcut", {block.outputs, block.inputs, 1, 1}, false);
    }
    weights.batch_norm("bn1", blocks_.back().outputs);
  }

 private:
  /// A convolution and nothing behind it.
  static ConvBlock bare(int64_t stride) {
    ConvBlock block;
    block.conv.stride = stride;
    block.norm = block.pool = false;
    block.negative_slope = 1;
    return block;
  }

  /// Norm and ReLU, behind a convolution or by themselves.
  ConvBlock activated(int64_t stride) const {
    ConvBlock block;
    block.conv.stride = stride;
    block.pool = false;
    block.eps = options_.norm_eps;
    return block;
  }

  Tensor residual(const Tensor& x, const ParamList& params, const WideBlock& block, uint64_t place,
                  Forward& forward) const {
    const std::string at = block.name + ".";
    const Tensor in = norm_block(x, params, at + "bn1", activated(1), forward);
    Tensor y = conv_block(in, params, BlockNames{at + "conv1", at + "bn2"}, activated(block.stride),
                          forward);
    y = dropout(y, options_.dropout, place, forward);
    y = conv_block(y, params, BlockNames{at + "conv2"}, bare(1), forward);
    if (!block.has_shortcut()) return y + x;
    return y + conv_block(in, params, BlockNames{at + "convShortcut"}, bare(block.stride), forward);
  }

  WideResNetOptions options_;
  std::vector<WideBlock> blocks_;
};

const Registration<BackbonePlugin> kWideResNet{BackbonePlugin::with<WideResNetOptions>(
    {.name = "wide_resnet28_10",
     .summary = "12 wide residual blocks that normalise before each 3x3 convolution",
     .paper = "Zagoruyko & Komodakis 2016, Wide residual networks"},
    [](const WideResNetOptions& options) { return std::make_shared<const WideResNet>(options); })};

}  // namespace
}  // namespace kshot
