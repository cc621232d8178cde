// Residual networks for images, resnet10 to resnet101 (He et al. 2016). As torchvision has them:
//   1. In a bottleneck the 3x3 convolution has the stride, not the first 1x1 ("v1.5"); the paper
//      has it the other way round.
//   2. Where a block changes size or channels, the shortcut is a 1x1 convolution and batch norm.
// resnet10 has one block in each stage; few-shot papers use it (Chen et al. 2019). For images of
// 28 to 84 pixels the stem may be small: 3x3, stride 1, without pooling.
#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"
#include "framework/model/pooling.h"

namespace kshot {
namespace {

struct ResNetOptions {
  std::vector<int64_t> blocks;
  bool bottleneck = false;
  std::string stem = "imagenet";
  int64_t width = 64;
  double norm_eps = 1e-5;
  std::string init = "he_normal_fan_out";
  std::string features = "mean";

  void describe(Fields& fields) {
    fields.option("blocks", blocks,
                  {.help = "how many blocks each stage has; each stage but the first halves height "
                           "and width and doubles channels",
                   .min = 1,
                   .max = 1000});
    fields.option("stem", stem,
                  {.help = "what comes first: 7x7 of stride 2 and 3x3 maxima of stride 2, or, for "
                           "images of 28 to 84 pixels, 3x3 of stride 1",
                   .one_of = {"imagenet", "small"}});
    fields.option("width", width,
                  {.help = "channels of the stem and of the first stage's 3x3 convolutions",
                   .min = 1,
                   .max = 8192});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
    fields.option("features", features, map_features_option());
  }
};

/// The options of one published depth.
template <bool bottleneck_blocks, int64_t... counts>
struct ResNetDepth : ResNetOptions {
  ResNetDepth() {
    blocks = {counts...};
    bottleneck = bottleneck_blocks;
  }
};

/// One residual block: where its parameters are, and its sizes.
struct ResNetBlock {
  std::string name;
  int64_t inputs, width, outputs, stride;

  bool has_downsample() const { return stride != 1 || inputs != outputs; }
};

class ResNet final : public ListedBackbone {
 public:
  ResNet(std::string name, const ResNetOptions& options)
      : ListedBackbone(options.init), name_(std::move(name)), options_(options) {
    if (options_.blocks.empty() || options_.blocks.size() > 8) {
      throw Error(Exit::bad_spec, "backbone.blocks has {} numbers, expected 1 to 8 stages",
                  options_.blocks.size());
    }
    int64_t inputs = options_.width;
    for (size_t stage = 0; stage < options_.blocks.size(); ++stage) {
      const int64_t width = options_.width << stage, outputs = width * expansion();
      for (int64_t i = 0; i < options_.blocks[stage]; ++i) {
        const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        blocks_.push_back(
            {fmt::format("layer{}.{}", stage + 1, i), inputs, width, outputs, stride});
        inputs = outputs;
      }
    }
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = conv_block(images, params, BlockNames{"conv1", "bn1"},
                          part({.stride = small_stem() ? 1 : 2}, 0), forward);
    if (!small_stem()) x = max_pool(x, kStemPool);
    for (const ResNetBlock& block : blocks_) x = residual(x, params, block, forward);
    return map_features(x, options_.features);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images(name_, input, 1);
    return map_features_shape(blocks_.back().outputs, size_left(input[1]), size_left(input[2]),
                              options_.features);
  }

  std::string head() const override { return "fc"; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    const auto conv = [&](const std::string& name, const std::string& norm, int64_t outputs,
                          int64_t inputs, int64_t kernel) {
      weights.layer(name, {outputs, inputs, kernel, kernel}, false);
      weights.batch_norm(norm, outputs);
    };
    conv("conv1", "bn1", options_.width, input[0], small_stem() ? 3 : 7);
    for (const ResNetBlock& block : blocks_) {
      const std::string at = block.name + ".";
      if (options_.bottleneck) {
        conv(at + "conv1", at + "bn1", block.width, block.inputs, 1);
        conv(at + "conv2", at + "bn2", block.width, block.width, 3);
        conv(at + "conv3", at + "bn3", block.outputs, block.width, 1);
      } else {
        conv(at + "conv1", at + "bn1", block.width, block.inputs, 3);
        conv(at + "conv2", at + "bn2", block.outputs, block.width, 3);
      }
      if (block.has_downsample())
        conv(at + "downsample.0", at + "downsample.1", block.outputs, block.inputs, 1);
    }
  }

 private:
  static constexpr PoolWindow kStemPool{.size = 3, .stride = 2, .border = 1};

  bool small_stem() const { return options_.stem == "small"; }
  int64_t expansion() const { return options_.bottleneck ? 4 : 1; }

  /// Convolution, norm and, of slope 0, ReLU.
  ConvBlock part(const Conv2d& conv, double slope) const {
    ConvBlock block;
    block.conv = conv;
    block.pool = false;
    block.negative_slope = slope;
    block.eps = options_.norm_eps;
    return block;
  }

  Tensor residual(const Tensor& x, const ParamList& params, const ResNetBlock& block,
                  Forward& forward) const {
    const auto step = [&](const Tensor& in, const std::string& number, int64_t stride,
                          double slope) {
      const BlockNames names{block.name + ".conv" + number, block.name + ".bn" + number};
      return conv_block(in, params, names, part({.stride = stride}, slope), forward);
    };
    Tensor y = step(x, "1", options_.bottleneck ? 1 : block.stride, 0);
    y = step(y, "2", options_.bottleneck ? block.stride : 1, options_.bottleneck ? 0 : 1);
    if (options_.bottleneck) y = step(y, "3", 1, 1);
    if (!block.has_downsample()) return torch::relu(y + x);
    const BlockNames names{block.name + ".downsample.0", block.name + ".downsample.1"};
    return torch::relu(y +
                       conv_block(x, params, names, part({.stride = block.stride}, 1), forward));
  }

  int64_t size_left(int64_t size) const {
    if (!small_stem()) size = kStemPool.size_after(size_after(size, 7, {.stride = 2}));
    for (const ResNetBlock& block : blocks_) size = size_after(size, 3, {.stride = block.stride});
    return size;
  }

  std::string name_;
  ResNetOptions options_;
  std::vector<ResNetBlock> blocks_;
};

template <class Options>
BackbonePlugin resnet_plugin(const std::string& name, const std::string& summary,
                             const std::string& paper) {
  return BackbonePlugin::with<Options>(
      {.name = name, .summary = summary, .paper = paper},
      [name](const Options& options) { return std::make_shared<const ResNet>(name, options); });
}

const std::string kResNetPaper = "He et al. 2016, Deep residual learning for image recognition";

const Registration<BackbonePlugin> kResNet10{resnet_plugin<ResNetDepth<false, 1, 1, 1, 1>>(
    "resnet10", "four stages of one residual block of two 3x3 convolutions",
    "Chen et al. 2019, A closer look at few-shot classification")};
const Registration<BackbonePlugin> kResNet18{resnet_plugin<ResNetDepth<false, 2, 2, 2, 2>>(
    "resnet18", "8 residual blocks of two 3x3 convolutions", kResNetPaper)};
const Registration<BackbonePlugin> kResNet34{resnet_plugin<ResNetDepth<false, 3, 4, 6, 3>>(
    "resnet34", "16 residual blocks of two 3x3 convolutions", kResNetPaper)};
const Registration<BackbonePlugin> kResNet50{resnet_plugin<ResNetDepth<true, 3, 4, 6, 3>>(
    "resnet50", "16 residual bottlenecks of 1x1, 3x3 and 1x1 convolutions", kResNetPaper)};
const Registration<BackbonePlugin> kResNet101{resnet_plugin<ResNetDepth<true, 3, 4, 23, 3>>(
    "resnet101", "33 residual bottlenecks of 1x1, 3x3 and 1x1 convolutions", kResNetPaper)};

}  // namespace
}  // namespace kshot
