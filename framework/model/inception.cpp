// Inception v3 (Szegedy et al. 2016), as torchvision has it. Each module convolves its input along
// several branches and stacks what comes out; each convolution is followed by batch norm and ReLU.
// The auxiliary classifier, a second head for training from scratch (`AuxLogits.*` in torchvision's
// files), is no part of the backbone. Images are expected in [-1, 1]: torchvision's own weights are
// TensorFlow's, and mean and deviation are 0.5 for them.
//
// A module is a table of steps, so that names, shapes and sizes stand in one place.
#include <algorithm>

#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/initialise.h"
#include "framework/model/listed_backbone.h"
#include "framework/model/map_features.h"
#include "framework/model/pooling.h"

namespace kshot {
namespace {

struct InceptionOptions {
  double width = 1;
  double norm_eps = 1e-3;
  std::string init = "he_normal";
  std::string features = "mean";

  void describe(Fields& fields) {
    fields.option("width", width, {.help = "multiplies all channels", .min = 1e-3, .max = 64});
    fields.option("norm_eps", norm_eps,
                  {.help = "added to the variance", .symbol = "ε", .min = 1e-12, .max = 1});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
    fields.option("features", features, map_features_option());
  }
};

/// One step of a branch: a convolution with what follows it, or pooling. Several convolutions side
/// by side see the same input, and their outputs are stacked: `beside` says that this one sees what
/// the one before it saw.
struct InceptionStep {
  enum Kind { conv, mean, maxima } kind;
  std::string name = {};  ///< of a convolution
  int64_t outputs = 0;
  Extent kernel{3, 3};
  int64_t stride = 1;
  bool padded = true;
  bool beside = false;
};
using InceptionBranch = std::vector<InceptionStep>;

/// Branches whose outputs are stacked in order.
struct InceptionModule {
  std::string name;  ///< empty for the stem, whose steps have no common prefix
  std::vector<InceptionBranch> branches;
};

InceptionStep conv_of(const std::string& name, int64_t outputs, int64_t height, int64_t width) {
  return {.kind = InceptionStep::conv, .name = name, .outputs = outputs, .kernel = {height, width}};
}

InceptionStep beside_of(const std::string& name, int64_t outputs, int64_t height, int64_t width) {
  InceptionStep step = conv_of(name, outputs, height, width);
  step.beside = true;
  return step;
}

/// 3x3 without zeros around.
InceptionStep valid_conv(const std::string& name, int64_t outputs, int64_t stride) {
  InceptionStep step = conv_of(name, outputs, 3, 3);
  step.stride = stride;
  step.padded = false;
  return step;
}

InceptionStep halving_maxima() {
  return {.kind = InceptionStep::maxima, .stride = 2, .padded = false};
}

InceptionBranch pooled_branch(int64_t outputs) {
  return {{.kind = InceptionStep::mean}, conv_of("branch_pool", outputs, 1, 1)};
}

InceptionModule stem_module() {
  return {
      "",
      {{valid_conv("Conv2d_1a_3x3", 32, 2), valid_conv("Conv2d_2a_3x3", 32, 1),
        conv_of("Conv2d_2b_3x3", 64, 3, 3), halving_maxima(), conv_of("Conv2d_3b_1x1", 80, 1, 1),
        valid_conv("Conv2d_4a_3x3", 192, 1), halving_maxima()}}};
}

InceptionModule module_a(const std::string& name, int64_t pooled) {
  return {name,
          {{conv_of("branch1x1", 64, 1, 1)},
           {conv_of("branch5x5_1", 48, 1, 1), conv_of("branch5x5_2", 64, 5, 5)},
           {conv_of("branch3x3dbl_1", 64, 1, 1), conv_of("branch3x3dbl_2", 96, 3, 3),
            conv_of("branch3x3dbl_3", 96, 3, 3)},
           pooled_branch(pooled)}};
}

InceptionModule module_b(const std::string& name) {
  return {name,
          {{valid_conv("branch3x3", 384, 2)},
           {conv_of("branch3x3dbl_1", 64, 1, 1), conv_of("branch3x3dbl_2", 96, 3, 3),
            valid_conv("branch3x3dbl_3", 96, 2)},
           {halving_maxima()}}};
}

InceptionModule module_c(const std::string& name, int64_t inner) {
  return {name,
          {{conv_of("branch1x1", 192, 1, 1)},
           {conv_of("branch7x7_1", inner, 1, 1), conv_of("branch7x7_2", inner, 1, 7),
            conv_of("branch7x7_3", 192, 7, 1)},
           {conv_of("branch7x7dbl_1", inner, 1, 1), conv_of("branch7x7dbl_2", inner, 7, 1),
            conv_of("branch7x7dbl_3", inner, 1, 7), conv_of("branch7x7dbl_4", inner, 7, 1),
            conv_of("branch7x7dbl_5", 192, 1, 7)},
           pooled_branch(192)}};
}

InceptionModule module_d(const std::string& name) {
  return {name,
          {{conv_of("branch3x3_1", 192, 1, 1), valid_conv("branch3x3_2", 320, 2)},
           {conv_of("branch7x7x3_1", 192, 1, 1), conv_of("branch7x7x3_2", 192, 1, 7),
            conv_of("branch7x7x3_3", 192, 7, 1), valid_conv("branch7x7x3_4", 192, 2)},
           {halving_maxima()}}};
}

InceptionModule module_e(const std::string& name) {
  return {name,
          {{conv_of("branch1x1", 320, 1, 1)},
           {conv_of("branch3x3_1", 384, 1, 1), conv_of("branch3x3_2a", 384, 1, 3),
            beside_of("branch3x3_2b", 384, 3, 1)},
           {conv_of("branch3x3dbl_1", 448, 1, 1), conv_of("branch3x3dbl_2", 384, 3, 3),
            conv_of("branch3x3dbl_3a", 384, 1, 3), beside_of("branch3x3dbl_3b", 384, 3, 1)},
           pooled_branch(192)}};
}

const std::vector<InceptionModule>& inception_modules() {
  static const std::vector<InceptionModule> modules{stem_module(),
                                                    module_a("Mixed_5b", 32),
                                                    module_a("Mixed_5c", 64),
                                                    module_a("Mixed_5d", 64),
                                                    module_b("Mixed_6a"),
                                                    module_c("Mixed_6b", 128),
                                                    module_c("Mixed_6c", 160),
                                                    module_c("Mixed_6d", 160),
                                                    module_c("Mixed_6e", 192),
                                                    module_d("Mixed_7a"),
                                                    module_e("Mixed_7b"),
                                                    module_e("Mixed_7c")};
  return modules;
}

class Inception final : public ListedBackbone {
 public:
  explicit Inception(const InceptionOptions& options)
      : ListedBackbone(options.init), options_(options) {}

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    Tensor x = images;
    for (const InceptionModule& module : inception_modules()) {
      std::vector<Tensor> stacked;
      for (const InceptionBranch& branch : module.branches) {
        for (const Tensor& end : along(branch, x, module.name, params, forward))
          stacked.push_back(end);
      }
      x = stacked.size() == 1 ? stacked[0] : torch::cat(stacked, 2);
    }
    return map_features(x, options_.features);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    require_images("inception_v3", input, 75);
    int64_t height = input[1], width = input[2];
    for (const InceptionModule& module : inception_modules()) {
      for (const InceptionStep& step : module.branches[0]) {
        height = left_after(step, height);
        width = left_after(step, width);
      }
    }
    return map_features_shape(list_into(nullptr, input[0]), height, width, options_.features);
  }

  std::string head() const override { return "fc"; }

 protected:
  void list(WeightList& weights, std::span<const int64_t> input) const override {
    list_into(&weights, input[0]);
  }

 private:
  static Conv2d conv2d_of(const InceptionStep& step) {
    return {.stride = step.stride,
            .padding = step.padded ? Conv2d::Padding::symmetric : Conv2d::Padding::none};
  }

  static PoolWindow window_of(const InceptionStep& step) {
    return {.size = 3, .stride = step.stride, .border = step.padded ? 1 : 0};
  }

  /// Along a side of the image. All branches of a module leave the same.
  static int64_t left_after(const InceptionStep& step, int64_t size) {
    if (step.kind != InceptionStep::conv) return window_of(step).size_after(size);
    return step.padded ? size : size_after(size, step.kernel[0], conv2d_of(step));
  }

  static std::string full_name(const std::string& module, const std::string& step) {
    return module.empty() ? step : module + "." + step;
  }

  /// The outputs of a branch: one, or those that stand beside each other at its end.
  std::vector<Tensor> along(const InceptionBranch& branch, const Tensor& x,
                            const std::string& module, const ParamList& params,
                            Forward& forward) const {
    std::vector<Tensor> ends{x};
    Tensor seen = x;
    for (const InceptionStep& step : branch) {
      if (step.beside) {
        ends.push_back(apply(step, seen, module, params, forward));
        continue;
      }
      seen = ends.back();
      ends = {apply(step, seen, module, params, forward)};
    }
    return ends;
  }

  Tensor apply(const InceptionStep& step, const Tensor& x, const std::string& module,
               const ParamList& params, Forward& forward) const {
    if (step.kind == InceptionStep::mean) return mean_pool(x, window_of(step));
    if (step.kind == InceptionStep::maxima) return max_pool(x, window_of(step));
    ConvBlock block;
    block.conv = conv2d_of(step);
    block.pool = false;
    block.eps = options_.norm_eps;
    const std::string name = full_name(module, step.name);
    return conv_block(x, params, BlockNames{name + ".conv", name + ".bn"}, block, forward);
  }

  /// Lists the parameters, if `weights` is given; returns the channels that come out.
  int64_t list_into(WeightList* weights, int64_t channels) const {
    for (const InceptionModule& module : inception_modules()) {
      int64_t stacked = 0;
      for (const InceptionBranch& branch : module.branches) {
        int64_t seen = channels, ends = channels;
        for (const InceptionStep& step : branch) {
          if (step.kind != InceptionStep::conv) continue;
          if (!step.beside) seen = ends;
          const int64_t outputs = scaled_channels(step.outputs, options_.width);
          if (weights != nullptr) {
            const std::string name = full_name(module.name, step.name);
            weights->layer(name + ".conv", {outputs, seen, step.kernel[0], step.kernel[1]}, false);
            weights->batch_norm(name + ".bn", outputs);
          }
          ends = step.beside ? ends + outputs : outputs;
        }
        stacked += ends;
      }
      channels = stacked;
    }
    return channels;
  }

  InceptionOptions options_;
};

const Registration<BackbonePlugin> kInception{BackbonePlugin::with<InceptionOptions>(
    {.name = "inception_v3",
     .summary = "modules of parallel convolutions, factorised into small and one-dimensional ones",
     .paper = "Szegedy et al. 2016, Rethinking the inception architecture"},
    [](const InceptionOptions& options) { return std::make_shared<const Inception>(options); })};

}  // namespace
}  // namespace kshot
