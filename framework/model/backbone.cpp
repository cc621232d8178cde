#include "framework/model/backbone.h"

namespace kshot {
namespace {

/// Algorithms say in Forward what they want computed; by which kernels is the spec's business.
class WithKernels final : public Backbone {
 public:
  WithKernels(BackbonePtr inner, Kernels kernels, std::shared_ptr<PathLog> paths)
      : inner_(std::move(inner)), kernels_(kernels), paths_(std::move(paths)) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    return inner_->init(shapes, stream);
  }
  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    forward.kernels = kernels_;
    forward.paths = paths_.get();
    return inner_->features(params, images, forward);
  }
  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    return inner_->output_shape(input);
  }
  ParamList layout(const Shapes& shapes) const override { return inner_->layout(shapes); }
  std::string head() const override { return inner_->head(); }
  int64_t film_channels() const override { return inner_->film_channels(); }

 private:
  BackbonePtr inner_;
  Kernels kernels_;
  std::shared_ptr<PathLog> paths_;
};

}  // namespace

BackbonePtr with_kernels(BackbonePtr backbone, Kernels kernels, std::shared_ptr<PathLog> paths) {
  return std::make_shared<const WithKernels>(std::move(backbone), kernels, std::move(paths));
}

}  // namespace kshot
