// VGG of 11, 16 and 19 layers, with and without batch norm (Simonyan & Zisserman 2015). Five stages
// of 3x3 convolutions with ReLU, each ended by 2x2 maxima; means over a 7x7 grid, so that images of
// other sizes than 224 serve; two linear layers of 4096 units with ReLU. What they answer are the
// features: the third linear layer is the head, `classifier.6` in torchvision's files.
#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/dense.h"
#include "framework/model/dropout.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"
#include "framework/model/pooling.h"

namespace kshot {
namespace {

struct VggOptions {
  std::vector<int64_t> blocks;
  bool norm = false;
  double width = 1;
  int64_t grid = 7;
  int64_t hidden = 4096;
  double dropout = 0;
  double norm_eps = 1e-5;
  std::string init = "he_normal_fan_out";
  std::string features = "hidden";

  void describe(Fields& fields) {
    fields.option("blocks", blocks,
                  {.help = "convolutions in each of the five stages", .min = 1, .max = 1000});
    fields.option("width", width,
                  {.help = "multiplies the channels 64, 128, 256, 512, 512 of the stages",
                   .min = 1e-3,
                   .max = 64});
    fields.option("grid", grid,
                  {.help = "the last map is averaged to so many rows and columns for the linear "
                           "layers",
                   .min = 1,
                   .max = 64});
    fields.option("hidden", hidden,
                  {.help = "units of each of the two linear layers", .min = 1, .max = 65536});
    fields.option("dropout", dropout,
                  {.help = "probability of dropping a unit of the linear layers in training; the "
                           "paper has 0.5",
                   .min = 0,
                   .max = 0.99});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init,
                  {.help = "initial weights of the convolutions; the linear layers begin as "
                           "truncated_normal",
                   .one_of = initial_schemes()});
    fields.option("features", features,
                  {.help = "what comes out: the second linear layer's units, or, without linear "
                           "layers, the last map's spatial mean, the map flattened, or the map",
                   .one_of = {"hidden", "mean", "flatten", "map"}});
  }
};

template <bool batch_norm, int64_t... counts>
struct VggDepth : VggOptions {
  VggDepth() {
    blocks = {counts...};
    norm = batch_norm;
  }
};

struct VggConv {
  BlockNames names;
  int64_t inputs, outputs;  ///< inputs 0: the image's channels
  bool pool;
};

class Vgg final : public ListedBackbone {
 public:
  Vgg(std::string name, const VggOptions& options)
      : ListedBackbone(options.init), name_(std::move(name)), options_(options) {
    constexpr std::array<int64_t, 5> kChannels{64, 128, 256, 512, 512};
    if (options_.blocks.size() != kChannels.size()) {
      throw Error(Exit::bad_spec,
                  "backbone.blocks has {} numbers, expected one for each of {} stages",
                  options_.blocks.size(), kChannels.size());
    }
    int64_t inputs = 0,
            place = 0;  // of a layer in torchvision's list: activations and maxima count
    for (size_t stage = 0; stage < kChannels.size(); ++stage) {
      const int64_t outputs = scaled_channels(kChannels[stage], options_.width);
      for (int64_t i = 0; i < options_.blocks[stage]; ++i) {
        BlockNames names{fmt::format("features.{}", place)};
        if (options_.norm) names.norm = fmt::format("features.{}", place + 1);
        place += options_.norm ? 3 : 2;
        convs_.push_back({names, inputs, outputs, i + 1 == options_.blocks[stage]});
        inputs = outputs;
      }
      ++place;
    }
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = images;
    for (const VggConv& conv : convs_) {
      ConvBlock block;
      block.norm = options_.norm;
      block.pool = conv.pool;
      block.eps = options_.norm_eps;
      x = conv_block(x, params, conv.names, block, forward);
    }
    if (options_.features != "hidden") return map_features(x, options_.features);
    x = mean_grid(x, options_.grid, options_.grid).flatten(2);
    for (const char* layer : {"classifier.0", "classifier.3"}) {
      const std::string name = layer;
      x = dense(x, params[name + ".weight"], params[name + ".bias"], /*relu=*/true, name, forward);
      x = dropout(x, options_.dropout, name == "classifier.0" ? 0 : 1, forward);
    }
    return x;
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images(name_, input, 32);
    if (options_.features == "hidden") return {options_.hidden};
    return map_features_shape(convs_.back().outputs, input[1] / 32, input[2] / 32,
                              options_.features);
  }

  std::string head() const override { return options_.features == "hidden" ? "classifier.6" : ""; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    for (const VggConv& conv : convs_) {
      const int64_t inputs = conv.inputs == 0 ? input[0] : conv.inputs;
      weights.layer(conv.names.conv, {conv.outputs, inputs, 3, 3}, true);
      if (options_.norm) weights.batch_norm(conv.names.norm, conv.outputs);
    }
    if (options_.features != "hidden") return;
    const int64_t values = convs_.back().outputs * options_.grid * options_.grid;
    weights.layer("classifier.0", {options_.hidden, values}, true, "truncated_normal");
    weights.layer("classifier.3", {options_.hidden, options_.hidden}, true, "truncated_normal");
  }

 private:
  std::string name_;
  VggOptions options_;
  std::vector<VggConv> convs_;
};

template <class Options>
BackbonePlugin vgg_plugin(const std::string& name, const std::string& summary) {
  return BackbonePlugin::with<Options>(
      {.name = name,
       .summary = summary,
       .paper = "Simonyan & Zisserman 2015, Very deep convolutional networks"},
      [name](const Options& options) { return std::make_shared<const Vgg>(name, options); });
}

const Registration<BackbonePlugin> kVgg11{vgg_plugin<VggDepth<false, 1, 1, 2, 2, 2>>(
    "vgg11", "8 convolutions of 3x3 and two linear layers")};
const Registration<BackbonePlugin> kVgg16{vgg_plugin<VggDepth<false, 2, 2, 3, 3, 3>>(
    "vgg16", "13 convolutions of 3x3 and two linear layers")};
const Registration<BackbonePlugin> kVgg19{vgg_plugin<VggDepth<false, 2, 2, 4, 4, 4>>(
    "vgg19", "16 convolutions of 3x3 and two linear layers")};
const Registration<BackbonePlugin> kVgg11Bn{vgg_plugin<VggDepth<true, 1, 1, 2, 2, 2>>(
    "vgg11_bn", "vgg11 with batch norm behind each convolution")};
const Registration<BackbonePlugin> kVgg16Bn{vgg_plugin<VggDepth<true, 2, 2, 3, 3, 3>>(
    "vgg16_bn", "vgg16 with batch norm behind each convolution")};
const Registration<BackbonePlugin> kVgg19Bn{vgg_plugin<VggDepth<true, 2, 2, 4, 4, 4>>(
    "vgg19_bn", "vgg19 with batch norm behind each convolution")};

}  // namespace
}  // namespace kshot
