#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/run/episode.h"

namespace kshot {

/// What an algorithm may know about the moment it is called in.
struct Context {
  int64_t iteration = 0, iterations = 0;
  bool training = false;  ///< says nothing about batch norm
  uint64_t seed = 0;
  std::span<const uint64_t> tasks = {};  ///< global index of each of the T tasks

  /// Random numbers of task t: the same however tasks are computed.
  Stream stream(Purpose purpose, int64_t t) const {
    return Stream(seed, purpose, tasks[static_cast<size_t>(t)]);
  }
};

/// What T training tasks say about the weights.
struct TaskGradients {
  ParamList
      gradients;  ///< one per learnable, in order: the SUM over tasks; the trainer divides by T
  ParamList statistics;  ///< batch-norm statistics met, [T,...] per buffer, in task order
  Tensor losses;         ///< [T,steps+1] query loss (or loss by inner step); not finite = diverged
  Tensor accuracy;       ///< [T]; undefined for a regression
};

/// A model adapted to T tasks.
class Learner {
 public:
  virtual ~Learner() = default;
  /// query [T,Q,...] -> logits [T,Q,outputs]. Pure.
  virtual Tensor logits(const Tensor& query) const = 0;
  /// The same after each step of adaptation, from none to all: one entry where there are no steps;
  /// the last is logits().
  virtual std::vector<Tensor> logits_by_step(const Tensor& query) const { return {logits(query)}; }
};

/// A few-shot method. Implementations say the mathematics; the engine owns the machine: it may
/// split the tasks as it likes, so every member is pure.
class Algorithm {
 public:
  virtual ~Algorithm() = default;

  /// Backbone, head and the algorithm's own learnables and buffers.
  virtual ParamList init(const Shapes& shapes, Stream stream) const = 0;

  /// Changes neither *this nor the weights.
  virtual TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                              const Context& context) const = 0;

  /// `shapes` are those of the tasks to come; their way may differ from training's.
  virtual std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                         const Shapes& shapes, const Context& context) const = 0;

  /// Whether changing query j may move the logits of query i. Computed from the options; a test
  /// tries exactly that.
  virtual bool transductive() const = 0;

  /// Whether the order of the support images may move logits, as it does where a recurrent network
  /// reads them one after the other. Computed from the options; a test turns the order around and
  /// compares. The order of the queries never counts.
  virtual bool order_matters() const { return false; }

  /// Where batch norm's statistics come from at test time, for the record; empty if not used.
  virtual std::string batch_norm() const { return {}; }
};

/// What feeds training.
enum class Feeds {
  episodes,
  minibatches,  ///< over all base classes: Episodes with T = 1 and an empty support set
  nothing,      ///< no training: the algorithm works with given or no weights
};

struct AlgorithmFacts {
  static constexpr const char* kKind = "algorithm";
  static constexpr const char* kBlock = "algorithm";
  std::string name, summary, paper;
  Feeds feeds = Feeds::episodes;
  bool uses_backbone = true;
  bool needs_map = false;   ///< of the backbone: features [C,h,w], not [F]
  bool regression = false;  ///< learns tasks whose targets are numbers, too
};

using AlgorithmPlugin = Plugin<std::unique_ptr<const Algorithm>, AlgorithmFacts, BackbonePtr>;

/// `const AlgorithmRegistration kProtoNet{algorithm_plugin<ProtoNet>({...})};` where ProtoNet has a
/// nested Options with describe() and a constructor (Options, BackbonePtr).
using AlgorithmRegistration = Registration<AlgorithmPlugin>;

template <class Implementation>
AlgorithmPlugin algorithm_plugin(AlgorithmFacts facts) {
  using Options = typename Implementation::Options;
  return AlgorithmPlugin::with<Options>(std::move(facts), [](const Options& options,
                                                             const BackbonePtr& backbone) {
    return std::unique_ptr<const Algorithm>(std::make_unique<Implementation>(options, backbone));
  });
}

// ---- pieces that algorithms share

/// Mean cross-entropy of each task: logits [T,N,O], targets [T,N] -> [T].
Tensor task_cross_entropy(const Tensor& logits, const Tensor& targets);

/// Mean squared error of each task: outputs and targets [T,N,D] -> [T].
Tensor task_mean_squared_error(const Tensor& outputs, const Tensor& targets);

/// Whichever of the two fits: whole numbers are labels, others what a regression is to meet.
Tensor task_loss(const Tensor& outputs, const Tensor& targets);

/// Share of right answers of each task: logits [T,N,O], labels [T,N] -> [T], float32. A tie is
/// broken towards the lowest label. Undefined for a regression.
Tensor task_accuracy(const Tensor& logits, const Tensor& targets);

/// The gradients of a scalar with respect to the learnables of `leaves` (see ParamList::attach),
/// detached and in order; zero where the scalar does not depend on one.
ParamList gradients_of(const Tensor& loss, const ParamList& leaves);

}  // namespace kshot
