// The four-block convolutional network of few-shot learning (Vinyals et al. 2016) in all the forms
// in which the papers use it: pooled (ProtoNet, MAML++), strided (MAML and Reptile on Omniglot),
// with or without gamma, TensorFlow's padding, and so on.
#include <algorithm>

#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/initialise.h"

namespace kshot {
namespace {

struct Conv4Options {
  int64_t blocks = 4;
  std::vector<int64_t> channels{64};
  int64_t reduced_blocks = 4;
  std::string reduce = "max_pool";
  std::string padding = "symmetric";
  int64_t unpadded_blocks = 0;
  std::string pool_edge = "drop";
  std::vector<std::string> order{"norm", "activation", "pool"};
  bool norm = true;
  bool norm_gamma = true;
  bool norm_beta = true;
  double norm_eps = 1e-5;
  double negative_slope = 0;
  bool conv_bias = true;
  std::string init = "pytorch";
  std::string features = "flatten";

  void describe(Fields& fields) {
    fields.option("blocks", blocks, {.help = "how many convolution blocks", .min = 1, .max = 16});
    fields.option(
        "channels", channels,
        {.help = "output channels of each block; one number serves all", .min = 1, .max = 8192});
    fields.option("reduced_blocks", reduced_blocks,
                  {.help = "how many blocks, from the first, halve height and width", .min = 0});
    fields.option("reduce", reduce,
                  {.help = "how a block halves: 2x2 maxima or a convolution of stride 2",
                   .one_of = {"max_pool", "stride"}});
    fields.option(
        "padding", padding,
        {.help = "zeros around the image: one on each side, TensorFlow's SAME (the odd one at "
                 "the bottom and right), or none",
         .one_of = {"symmetric", "same", "none"}});
    fields.option("unpadded_blocks", unpadded_blocks,
                  {.help = "how many blocks, from the first, put no zeros around, whatever the "
                           "padding of the others",
                   .min = 0});
    fields.option(
        "pool_edge", pool_edge,
        {.help = "an odd last row or column when pooling: dropped (VALID) or pooled (SAME)",
         .one_of = {"drop", "keep"}});
    fields.option("order", order,
                  {.help = "stages after the convolution, in order",
                   .one_of = {"norm", "activation", "pool"}});
    fields.option("norm", norm, {.help = "batch norm in each block"});
    fields.option("norm_gamma", norm_gamma, {.help = "batch norm has a scale", .symbol = "γ"});
    fields.option("norm_beta", norm_beta, {.help = "batch norm has a shift", .symbol = "β"});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("negative_slope", negative_slope,
                  {.help = "0: ReLU; else LeakyReLU of this slope", .min = 0, .max = 1});
    fields.option("conv_bias", conv_bias, {.help = "convolutions have a bias"});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
    fields.option("features", features,
                  {.help = "what comes out: the last map flattened, its spatial mean, or the map",
                   .one_of = {"flatten", "mean", "map"}});
  }
};

Stage stage_of(const std::string& name) {
  if (name == "norm") return Stage::norm;
  return name == "activation" ? Stage::activation : Stage::pool;
}

class Conv4 final : public Backbone {
 public:
  explicit Conv4(const Conv4Options& options) : options_(options) {
    const auto blocks = static_cast<size_t>(options_.blocks);
    if (options_.channels.size() == 1) options_.channels.resize(blocks, options_.channels[0]);
    if (options_.channels.size() != blocks) {
      throw Error(Exit::bad_spec,
                  "backbone.channels has {} numbers, expected 1 or backbone.blocks = {}",
                  options_.channels.size(), blocks);
    }
    std::vector<std::string> sorted = options_.order;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != std::vector<std::string>{"activation", "norm", "pool"}) {
      throw Error(Exit::bad_spec,
                  "backbone.order is [{}], expected norm, activation and pool once each",
                  fmt::join(options_.order, ", "));
    }
  }

  ParamList init(const Shapes& shapes, Stream stream) const override {
    output_shape(shapes.input);  // refuses images that are too small
    ParamList params;
    int64_t inputs = shapes.input[0];
    for (int64_t i = 0; i < options_.blocks; ++i) {
      const int64_t outputs = options_.channels[static_cast<size_t>(i)];
      add_block(params, block_name(i), {outputs, inputs, 3, 3},
                stream.split(static_cast<uint64_t>(i)));
      inputs = outputs;
    }
    return params;
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = images;
    for (int64_t i = 0; i < options_.blocks; ++i) {
      x = conv_block(x, params, block_name(i), block(i), forward);
    }
    if (options_.features == "map") return x;
    return options_.features == "mean" ? x.mean({3, 4}) : x.flatten(2);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    if (input.size() != 3) {
      throw Error(Exit::bad_spec,
                  "backbone conv4 takes images [C,H,W]; the samples have shape [{}]",
                  fmt::join(input, ","));
    }
    int64_t height = input[1], width = input[2];
    for (int64_t i = 0; i < options_.blocks; ++i) {
      height = size_after(block(i), height);
      width = size_after(block(i), width);
      if (height < 1 || width < 1) {
        throw Error(Exit::bad_spec,
                    "images of {}x{} are too small for backbone.blocks = {}: nothing is left after "
                    "block {}",
                    input[1], input[2], options_.blocks, i + 1);
      }
    }
    const int64_t channels = options_.channels.back();
    if (options_.features == "map") return {channels, height, width};
    return {options_.features == "mean" ? channels : channels * height * width};
  }

  int64_t film_channels() const override {
    return options_.channels[static_cast<size_t>(film_block())];
  }

 private:
  static std::string block_name(int64_t i) { return "block" + std::to_string(i + 1); }

  ConvBlock block(int64_t i) const {
    const bool reduces = i < options_.reduced_blocks;
    const bool strided = options_.reduce == "stride";
    ConvBlock result;
    result.conv.stride = reduces && strided ? 2 : 1;
    const bool unpadded = i < options_.unpadded_blocks || options_.padding == "none";
    result.conv.padding = unpadded                     ? Conv2d::Padding::none
                          : options_.padding == "same" ? Conv2d::Padding::same
                                                       : Conv2d::Padding::symmetric;
    result.stages.clear();
    for (const std::string& name : options_.order) result.stages.push_back(stage_of(name));
    result.norm = options_.norm;
    result.pool = reduces && !strided;
    result.pool_same = options_.pool_edge == "keep";
    result.negative_slope = options_.negative_slope;
    result.eps = options_.norm_eps;
    result.film = i == film_block();
    return result;
  }

  /// The last block but one, as CAVIA's third of four.
  int64_t film_block() const { return std::max<int64_t>(0, options_.blocks - 2); }

  static int64_t size_after(const ConvBlock& block, int64_t size) {
    size = kshot::size_after(size, 3, block.conv);
    if (!block.pool) return size;
    return block.pool_same ? (size + 1) / 2 : size / 2;
  }

  void add_block(ParamList& params, const std::string& name, const std::vector<int64_t>& kernel,
                 const Stream& stream) const {
    params.add({name + ".conv.weight", initial_weight(options_.init, kernel, stream.split(0))});
    if (options_.conv_bias) {
      params.add({name + ".conv.bias", initial_bias(options_.init, kernel, stream.split(1))});
    }
    if (!options_.norm) return;
    if (options_.norm_gamma) params.add({name + ".norm.weight", torch::ones({kernel[0]})});
    if (options_.norm_beta) params.add({name + ".norm.bias", torch::zeros({kernel[0]})});
    params.add({name + ".norm.running_mean", torch::zeros({kernel[0]}), Role::buffer});
    params.add({name + ".norm.running_var", torch::ones({kernel[0]}), Role::buffer});
  }

  Conv4Options options_;
};

const Registration<BackbonePlugin> kConv4{BackbonePlugin::with<Conv4Options>(
    {.name = "conv4",
     .summary = "four blocks of 3x3 convolution, batch norm, ReLU and 2x2 max-pooling",
     .paper = "Vinyals et al. 2016, Matching networks for one shot learning"},
    [](const Conv4Options& options) { return std::make_shared<const Conv4>(options); })};

}  // namespace
}  // namespace kshot
