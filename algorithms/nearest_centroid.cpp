// Nearest class mean in the feature space of given weights: nothing is learned and nothing adapts.
// With Euclidean distances of the features as they are, or made unit vectors first, this is
// SimpleShot's UN and L2N. Wang, Chao, Weinberger, van der Maaten: "SimpleShot: revisiting
// nearest-neighbor classification for few-shot learning", 2019.
//
// Differences from the reference code (mileyan/simple_shot):
// 1. Its CL2N, which first subtracts the mean feature of the base classes, is not among the
//    options: given weights do not hold that mean.
// 2. A class is the mean of its support features; there the nearest of several means may be asked.
#include "algorithms/metric.h"
#include "algorithms/support_set.h"
#include "framework/model/task_ops.h"

namespace kshot {
namespace {

class NearestCentroid final : public MetricMethod {
 public:
  struct Options {
    std::string transform = "l2";
    std::string distance = "euclidean";

    void describe(Fields& fields) {
      fields.option("transform", transform,
                    {.help = "of each feature vector: none (UN), or divided by its length (L2N)",
                     .one_of = {"none", "l2"}});
      fields.option("distance", distance,
                    {.help = "to the class means: squared Euclidean, or the angle's cosine",
                     .one_of = {"euclidean", "cosine"}});
    }
  };

  NearestCentroid(const Options& options, BackbonePtr backbone)
      : MetricMethod(std::move(backbone), "running"), options_(options) {}

 protected:
  Tensor summarise(const ParamList&, const Tensor& features, const Tensor& labels,
                   int64_t way) const override {
    return class_means(transformed(features), labels, way);
  }

  Tensor compare(const ParamList&, const Tensor& features, const Summary& summary) const override {
    const Tensor x = transformed(features);
    return options_.distance == "cosine" ? cosine_similarities(x, summary.values)
                                         : -squared_distances(x, summary.values);
  }

 private:
  Tensor transformed(const Tensor& features) const {
    constexpr double kTiny = 1e-12;
    if (options_.transform == "none") return features;
    return features / features.norm(2, -1, /*keepdim=*/true).clamp_min(kTiny);
  }

  Options options_;
};

const AlgorithmRegistration kNearestCentroid{algorithm_plugin<NearestCentroid>(
    {.name = "nearest_centroid",
     .summary = "nearest class mean of given weights' features; nothing is learned (SimpleShot)",
     .paper = "Wang et al. 2019, SimpleShot",
     .feeds = Feeds::nothing})};

}  // namespace
}  // namespace kshot
