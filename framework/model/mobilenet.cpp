// MobileNetV3, small and large (Howard et al. 2019, tables 1 and 2). Inverted residual blocks: a
// 1x1 convolution expands, a depthwise one looks around, channels are weighed by squeeze and
// excitation, a 1x1 convolution projects without activation. As torchvision has them:
//   1. Squeeze and excitation narrows to a quarter of the expanded channels.
//   2. Batch norm adds 0.001 to the variance.
// The features are those of `classifier.0` behind hard swish; `classifier.3` is the head.
#include <algorithm>

#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/dense.h"
#include "framework/model/dropout.h"
#include "framework/model/hard_sigmoid.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"
#include "framework/model/pooling.h"

namespace kshot {
namespace {

/// One row of the paper's tables.
struct MobileRow {
  int64_t kernel, expanded, outputs;
  bool squeeze, hard_swish;
  int64_t stride;
};

const std::vector<MobileRow>& mobile_small_rows() {
  static const std::vector<MobileRow> rows{
      {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
      {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
      {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
      {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};
  return rows;
}

const std::vector<MobileRow>& mobile_large_rows() {
  static const std::vector<MobileRow> rows{
      {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
      {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
      {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
      {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
      {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1}};
  return rows;
}

struct MobileNetOptions {
  double width = 1;
  double dropout = 0;
  double norm_eps = 1e-3;
  std::string init = "he_normal_fan_out";
  std::string features = "hidden";

  void describe(Fields& fields) {
    fields.option("width", width,
                  {.help = "multiplies all channels, which are then rounded to multiples of 8",
                   .symbol = "α",
                   .min = 1e-3,
                   .max = 64});
    fields.option("dropout", dropout,
                  {.help = "probability of dropping a feature in training; torchvision has 0.2",
                   .min = 0,
                   .max = 0.99});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init,
                  {.help = "initial weights of the convolutions; the linear layer begins as "
                           "truncated_normal",
                   .one_of = initial_schemes()});
    fields.option("features", features,
                  {.help = "what comes out: the linear layer's units, or, without it, the last "
                           "map's spatial mean, the map flattened, or the map",
                   .one_of = {"hidden", "mean", "flatten", "map"}});
  }
};

/// The multiple of 8 nearest to `channels`, but not less than nine tenths of them, nor than 8.
int64_t multiple_of_8(double channels) {
  const int64_t nearest = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + 8 : nearest;
}

class MobileNet final : public ListedBackbone {
 public:
  MobileNet(std::string name, const std::vector<MobileRow>& rows, int64_t hidden,
            const MobileNetOptions& options)
      : ListedBackbone(options.init), name_(std::move(name)), options_(options) {
    const auto scaled = [&](int64_t channels) {
      return multiple_of_8(static_cast<double>(channels) * options_.width);
    };
    stem_ = inputs_ = scaled(16);
    for (const MobileRow& row : rows) {
      Block block{.name = fmt::format("features.{}.block.", blocks_.size() + 1),
                  .row = row,
                  .inputs = inputs_};
      block.row.expanded = scaled(row.expanded);
      block.row.outputs = inputs_ = scaled(row.outputs);
      block.narrow = multiple_of_8(static_cast<double>(block.row.expanded / 4));
      blocks_.push_back(block);
    }
    last_ = 6 * inputs_;
    hidden_ = scaled(hidden);
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = step(images, params, "features.0", {.stride = 2}, kHardSwish, forward);
    for (const Block& block : blocks_) x = inverted_residual(x, params, block, forward);
    x = step(x, params, last_name(), {}, kHardSwish, forward);
    if (options_.features != "hidden") return map_features(x, options_.features);
    x = dense(map_features(x, "mean"), params["classifier.0.weight"], params["classifier.0.bias"],
              /*relu=*/false, "classifier.0", forward);
    return dropout(torch::hardswish(x), options_.dropout, 0, forward);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images(name_, input, 1);
    if (options_.features == "hidden") return {hidden_};
    return map_features_shape(last_, size_left(input[1]), size_left(input[2]), options_.features);
  }

  std::string head() const override { return options_.features == "hidden" ? "classifier.3" : ""; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    const auto conv = [&](const std::string& name, const std::vector<int64_t>& shape) {
      weights.layer(name + ".0", shape, false);
      weights.batch_norm(name + ".1", shape[0]);
    };
    conv("features.0", {stem_, input[0], 3, 3});
    for (const Block& block : blocks_) {
      const MobileRow& row = block.row;
      if (block.expands()) conv(block.part(0), {row.expanded, block.inputs, 1, 1});
      conv(block.depthwise(), {row.expanded, 1, row.kernel, row.kernel});
      if (row.squeeze) {
        weights.layer(block.excitation() + ".fc1", {block.narrow, row.expanded, 1, 1}, true);
        weights.layer(block.excitation() + ".fc2", {row.expanded, block.narrow, 1, 1}, true);
      }
      conv(block.projection(), {row.outputs, row.expanded, 1, 1});
    }
    conv(last_name(), {last_, inputs_, 1, 1});
    if (options_.features == "hidden")
      weights.layer("classifier.0", {hidden_, last_}, true, "truncated_normal");
  }

 private:
  struct Block {
    std::string name;
    MobileRow row;  ///< with scaled channels
    int64_t inputs, narrow = 0;

    bool expands() const { return row.expanded != inputs; }
    bool has_shortcut() const { return row.stride == 1 && inputs == row.outputs; }

    std::string part(int64_t i) const { return name + std::to_string(i); }
    std::string depthwise() const { return part(expands() ? 1 : 0); }
    std::string excitation() const { return part(expands() ? 2 : 1); }
    std::string projection() const { return part((expands() ? 2 : 1) + (row.squeeze ? 1 : 0)); }
  };

  enum Activation { kNone, kRelu, kHardSwish };

  std::string last_name() const { return fmt::format("features.{}", blocks_.size() + 1); }

  Tensor step(const Tensor& x, const ParamList& params, const std::string& name, const Conv2d& conv,
              Activation activation, Forward& forward) const {
    ConvBlock block;
    block.conv = conv;
    block.pool = false;
    block.negative_slope = activation == kRelu ? 0 : 1;
    block.eps = options_.norm_eps;
    const Tensor y = conv_block(x, params, BlockNames{name + ".0", name + ".1"}, block, forward);
    return activation == kHardSwish ? torch::hardswish(y) : y;
  }

  Tensor inverted_residual(const Tensor& x, const ParamList& params, const Block& block,
                           Forward& forward) const {
    const MobileRow& row = block.row;
    const Activation activation = row.hard_swish ? kHardSwish : kRelu;
    Tensor y = x;
    if (block.expands()) y = step(y, params, block.part(0), {}, activation, forward);
    y = step(y, params, block.depthwise(), {.stride = row.stride, .groups = row.expanded},
             activation, forward);
    if (row.squeeze) y = y * excitation(y, params, block.excitation());
    y = step(y, params, block.projection(), {}, kNone, forward);
    return block.has_shortcut() ? y + x : y;
  }

  /// What each channel of x is worth, from the means of all (Hu et al. 2018): [T,N,C,1,1].
  static Tensor excitation(const Tensor& x, const ParamList& params, const std::string& name) {
    const auto layer = [&](const Tensor& in, const std::string& which) {
      return conv2d(in, params[name + which + ".weight"], params[name + which + ".bias"], {});
    };
    const Tensor means = x.mean(at::IntArrayRef({3, 4}), /*keepdim=*/true);
    return hard_sigmoid(layer(torch::relu(layer(means, ".fc1")), ".fc2"));
  }

  int64_t size_left(int64_t size) const {
    size = size_after(size, 3, {.stride = 2});
    for (const Block& block : blocks_)
      size = size_after(size, block.row.kernel, {.stride = block.row.stride});
    return size;
  }

  std::string name_;
  MobileNetOptions options_;
  std::vector<Block> blocks_;
  int64_t stem_ = 0, inputs_ = 0, last_ = 0, hidden_ = 0;  ///< channels; inputs_: of the last step
};

BackbonePlugin mobilenet_plugin(const std::string& name, const std::string& summary,
                                const std::vector<MobileRow>& rows, int64_t hidden) {
  return BackbonePlugin::with<MobileNetOptions>(
      {.name = name, .summary = summary, .paper = "Howard et al. 2019, Searching for MobileNetV3"},
      [name, table = &rows, hidden](const MobileNetOptions& options) {
        return std::make_shared<const MobileNet>(name, *table, hidden, options);
      });
}

const Registration<BackbonePlugin> kMobileNetSmall{mobilenet_plugin(
    "mobilenet_v3_small", "11 inverted residual blocks with depthwise convolutions",
    mobile_small_rows(), 1024)};
const Registration<BackbonePlugin> kMobileNetLarge{mobilenet_plugin(
    "mobilenet_v3_large", "15 inverted residual blocks with depthwise convolutions",
    mobile_large_rows(), 1280)};

}  // namespace
}  // namespace kshot
