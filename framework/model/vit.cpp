// Vision transformers (Dosovitskiy et al. 2021): an image is cut into patches, each a token; a
// class token goes before them, and learned embeddings of places are added; blocks of attention and
// of a two-layer perceptron with GELU, each normalised first and added to what came in; the
// features are the class token, normalised. vit_b_16 is torchvision's, vit_s_16 (Touvron et al.
// 2021, DeiT-S) timm's vit_small_patch16_224: they differ in width and in what parameters are
// called. There are as many embeddings of places as the images have patches; weights for images of
// another size do not fit.
#include <cmath>

#include "framework/base/error.h"
#include "framework/model/attention.h"
#include "framework/model/dense.h"
#include "framework/model/dropout.h"
#include "framework/model/initialise.h"
#include "framework/model/layer_norm.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"

namespace kshot {
namespace {

struct VitOptions {
  int64_t patch = 16;
  int64_t width = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  int64_t mlp_ratio = 4;
  double dropout = 0;
  double norm_eps = 1e-6;
  std::string init = "xavier_uniform";

  void describe(Fields& fields) {
    fields.option("patch", patch,
                  {.help = "height and width of a patch in pixels; divides those of the image",
                   .symbol = "P",
                   .min = 1,
                   .max = 512});
    fields.option("width", width,
                  {.help = "numbers of a token; a multiple of `heads`",
                   .symbol = "D",
                   .min = 1,
                   .max = 16384});
    fields.option("depth", depth, {.help = "blocks", .symbol = "L", .min = 1, .max = 1000});
    fields.option("heads", heads, {.help = "heads of attention", .min = 1, .max = 1024});
    fields.option(
        "mlp_ratio", mlp_ratio,
        {.help = "the perceptrons' hidden units are so many times the width", .min = 1, .max = 64});
    fields.option("dropout", dropout,
                  {.help = "probability of dropping a number behind the embeddings, the attention "
                           "and each layer of the perceptrons in training",
                   .min = 0,
                   .max = 0.99});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init,
                  {.help = "initial weights of the blocks; patches begin as N(0, 1 / fan_in), "
                           "embeddings of places as N(0, 0.02²), both cut at two deviations",
                   .one_of = initial_schemes()});
  }
};

struct VitSmallOptions : VitOptions {
  VitSmallOptions() {
    width = 384;
    heads = 6;
  }
};

/// What a library calls the parameters; those of a block stand behind `block` + number + ".".
struct VitNames {
  std::string class_token, places, patches, block, last_norm, head;
  std::string norm_1, in_weight, in_bias, out, norm_2, mlp_1, mlp_2;
};

VitNames torchvision_names() {
  return {.class_token = "class_token",
          .places = "encoder.pos_embedding",
          .patches = "conv_proj",
          .block = "encoder.layers.encoder_layer_",
          .last_norm = "encoder.ln",
          .head = "heads.head",
          .norm_1 = "ln_1",
          .in_weight = "self_attention.in_proj_weight",
          .in_bias = "self_attention.in_proj_bias",
          .out = "self_attention.out_proj",
          .norm_2 = "ln_2",
          .mlp_1 = "mlp.0",
          .mlp_2 = "mlp.3"};
}

VitNames timm_names() {
  return {.class_token = "cls_token",
          .places = "pos_embed",
          .patches = "patch_embed.proj",
          .block = "blocks.",
          .last_norm = "norm",
          .head = "head",
          .norm_1 = "norm1",
          .in_weight = "attn.qkv.weight",
          .in_bias = "attn.qkv.bias",
          .out = "attn.proj",
          .norm_2 = "norm2",
          .mlp_1 = "mlp.fc1",
          .mlp_2 = "mlp.fc2"};
}

class Vit final : public ListedBackbone {
 public:
  Vit(std::string name, VitNames names, const VitOptions& options)
      : ListedBackbone(options.init),
        name_(std::move(name)),
        names_(std::move(names)),
        options_(options) {
    if (options_.width % options_.heads != 0) {
      throw Error(Exit::bad_spec,
                  "backbone.width is {}, expected a multiple of backbone.heads = {}",
                  options_.width, options_.heads);
    }
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = dropout(tokens(params, images, forward), options_.dropout, 0, forward);
    for (int64_t i = 0; i < options_.depth; ++i) x = block(x, params, i, forward);
    // The norm is each token's own, so that only the class token needs it.
    return norm(x.select(2, 0), params, names_.last_norm);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images(name_, input, options_.patch);
    if (input[1] % options_.patch != 0 || input[2] % options_.patch != 0) {
      throw Error(Exit::bad_spec,
                  "images of {}x{} cannot be cut into patches of backbone.patch = {} pixels: "
                  "expected multiples of it",
                  input[1], input[2], options_.patch);
    }
    return {options_.width};
  }

  std::string head() const override { return names_.head; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    const int64_t width = options_.width, hidden = width * options_.mlp_ratio,
                  patch = options_.patch, values = input[0] * patch * patch,
                  count = (input[1] / patch) * (input[2] / patch);
    weights.zeros(names_.class_token, {1, 1, width});
    weights.truncated_normal(names_.places, {1, count + 1, width}, 0.02);
    weights.truncated_normal(names_.patches + ".weight", {width, input[0], patch, patch},
                             1 / std::sqrt(static_cast<double>(values)));
    weights.zeros(names_.patches + ".bias", {width});
    for (int64_t i = 0; i < options_.depth; ++i) {
      const std::string at = block_name(i);
      weights.layer_norm(at + names_.norm_1, width);
      weights.weight(at + names_.in_weight, {3 * width, width});
      weights.bias(at + names_.in_bias, {3 * width, width});
      weights.layer(at + names_.out, {width, width}, true);
      weights.layer_norm(at + names_.norm_2, width);
      weights.layer(at + names_.mlp_1, {hidden, width}, true);
      weights.layer(at + names_.mlp_2, {width, hidden}, true);
    }
    weights.layer_norm(names_.last_norm, width);
  }

 private:
  std::string block_name(int64_t i) const { return fmt::format("{}{}.", names_.block, i); }

  /// images [T,N,C,H,W] -> [T,N,1+L,D]: the class token, then the patches row by row.
  Tensor tokens(const ParamList& params, const Tensor& images, Forward& forward) const {
    if (forward.paths != nullptr) forward.paths->note(names_.patches, "convolution reference");
    const Tensor map =
        conv2d(images, params[names_.patches + ".weight"], params[names_.patches + ".bias"],
               {.stride = options_.patch, .padding = Conv2d::Padding::none});
    const Tensor patches = map.flatten(3).transpose(2, 3);
    const Tensor first = params[names_.class_token].expand(
        {images.size(0), images.size(1), 1, options_.width});  // [1,1,D] or [T,1,1,D]
    return torch::cat({first, patches}, 2) + params[names_.places];
  }

  Tensor block(const Tensor& x, const ParamList& params, int64_t i, Forward& forward) const {
    const std::string at = block_name(i);
    const auto place = static_cast<uint64_t>(4 * i);  // of what is dropped
    const auto drop = [&](const Tensor& y, uint64_t k) {
      return dropout(y, options_.dropout, place + k, forward);
    };
    const Tensor seen = norm(x, params, at + names_.norm_1);
    const std::vector<Tensor> qkv =
        tokenwise(seen, params, at + names_.in_weight, at + names_.in_bias, forward).chunk(3, -1);
    const Tensor mixed = multi_head_attention(qkv[0], qkv[1], qkv[2], options_.heads);
    const Tensor y = x + drop(layer(mixed, params, at + names_.out, forward), 1);
    Tensor z = layer(norm(y, params, at + names_.norm_2), params, at + names_.mlp_1, forward);
    z = layer(drop(torch::gelu(z), 2), params, at + names_.mlp_2, forward);
    return y + drop(z, 3);
  }

  Tensor norm(const Tensor& x, const ParamList& params, const std::string& name) const {
    return layer_norm(x, params[name + ".weight"], params[name + ".bias"], options_.norm_eps);
  }

  static Tensor layer(const Tensor& x, const ParamList& params, const std::string& name,
                      const Forward& forward) {
    return tokenwise(x, params, name + ".weight", name + ".bias", forward);
  }

  /// A linear layer for each token of x [T,N,L,F] -> [T,N,L,O].
  static Tensor tokenwise(const Tensor& x, const ParamList& params, const std::string& weight,
                          const std::string& bias, const Forward& forward) {
    return dense(x.flatten(1, 2), params[weight], params[bias], /*relu=*/false, weight, forward)
        .unflatten(1, {x.size(1), x.size(2)});
  }

  std::string name_;
  VitNames names_;
  VitOptions options_;
};

const Registration<BackbonePlugin> kVitBase{BackbonePlugin::with<VitOptions>(
    {.name = "vit_b_16",
     .summary = "a transformer of 12 blocks over patches of 16x16 pixels, 768 wide",
     .paper = "Dosovitskiy et al. 2021, An image is worth 16x16 words"},
    [](const VitOptions& options) {
      return std::make_shared<const Vit>("vit_b_16", torchvision_names(), options);
    })};

const Registration<BackbonePlugin> kVitSmall{BackbonePlugin::with<VitSmallOptions>(
    {.name = "vit_s_16",
     .summary = "a transformer of 12 blocks over patches of 16x16 pixels, 384 wide",
     .paper = "Touvron et al. 2021, Training data-efficient image transformers (DeiT-S)"},
    [](const VitSmallOptions& options) {
      return std::make_shared<const Vit>("vit_s_16", timm_names(), options);
    })};

}  // namespace
}  // namespace kshot
