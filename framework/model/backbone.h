#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/base/plugin.h"
#include "framework/base/rng.h"
#include "framework/model/params.h"
#include "framework/model/path_log.h"

namespace kshot {

/// Where batch norm takes its mean and variance from. An explicit argument of every call, never
/// module state.
enum class NormMode {
  batch,    ///< the images of this call, task by task
  given,    ///< statistics met in an earlier call (the support set's, layer by layer)
  running,  ///< the buffers `running_mean` and `running_var`
};

/// Mean and variance of one batch-norm layer: [T,C], variance biased (as used to normalise);
/// `count` values were averaged.
struct LayerStatistics {
  std::string layer;
  Tensor mean, variance;
  int64_t count = 0;
};
using NormStatistics = std::vector<LayerStatistics>;

/// Who computes: the plain composition of LibTorch operations, or our own where they cover a call.
enum class Kernels { reference, fast };

/// Feature-wise modulation of one layer, x -> scale x + shift, [T,C] each (FiLM: Perez et al.
/// 2018).
struct Film {
  Tensor scale, shift;
};

/// How one pass through a network is done.
struct Forward {
  NormMode norm = NormMode::batch;
  const NormStatistics* given = nullptr;  ///< for NormMode::given
  NormStatistics* met = nullptr;          ///< filled with what NormMode::batch met, if wanted
  bool differentiable_met = false;        ///< `met` stays linked to the graph (mode `support`)
  bool training = false;                  ///< dropout and its like; says nothing about batch norm
  std::span<const Stream> streams = {};   ///< one per task, for dropout
  const Film* film = nullptr;             ///< applied to the layer of Backbone::film_channels()
  Kernels kernels = Kernels::reference;   ///< set by with_kernels()
  PathLog* paths = nullptr;               ///< likewise; where layers say what computed them
};

/// What goes in and how many outputs the head has: way, all base classes, or D for a regression.
struct Shapes {
  std::vector<int64_t> input;  ///< of one sample, [C,H,W] or any other
  int64_t outputs = 0;
};

/// An architecture without weights.
class Backbone {
 public:
  virtual ~Backbone() = default;

  /// Fresh weights for inputs of that shape. Parameter k draws from stream.split(k).
  /// Throws Error(bad_spec) where the network does not fit the input.
  virtual ParamList init(const Shapes& shapes, Stream stream) const = 0;

  /// images [T,N,C,H,W] -> features [T,N,F], or the last map [T,N,C,h,w].
  virtual Tensor features(const ParamList& params, const Tensor& images,
                          Forward& forward) const = 0;

  /// The shape that features() has for one sample: {F} or {C,h,w}.
  virtual std::vector<int64_t> output_shape(std::span<const int64_t> input) const = 0;

  /// The names, shapes and roles that init() gives, in its order; the values mean nothing and may
  /// lie nowhere (LibTorch's meta device): for counting, and for reading weights from a file.
  virtual ParamList layout(const Shapes& shapes) const {
    return init(shapes, Stream(0, Purpose::initialisation, 0));
  }

  /// What files of published weights call the linear layer that takes features(), as "fc"; empty
  /// where there are no such files.
  virtual std::string head() const { return {}; }

  /// The channels of the layer that Forward::film modulates; 0 where there is none.
  virtual int64_t film_channels() const { return 0; }
};

struct BackboneFacts {
  static constexpr const char* kKind = "backbone";
  static constexpr const char* kBlock = "backbone";
  std::string name, summary, paper;
};

using BackbonePtr = std::shared_ptr<const Backbone>;

/// The same backbone, whose every pass is computed by these kernels, and told to `paths`, if any.
BackbonePtr with_kernels(BackbonePtr backbone, Kernels kernels,
                         std::shared_ptr<PathLog> paths = nullptr);

using BackbonePlugin = Plugin<BackbonePtr, BackboneFacts>;

/// The statistics met, as the buffers they are to move: per layer `layer.running_mean` [T,C] and
/// `layer.running_var` [T,C], the variance unbiased as running averages keep it.
ParamList running_buffers(const NormStatistics& met);

}  // namespace kshot
