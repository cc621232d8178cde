// Matching networks: the vote and the full context embeddings in numbers worked out by hand, and
// learn() against central differences.
#include <numbers>

#include "tests/algorithms/tiny_training.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::matching_test {

using test::difference;
using test::make_algorithm;

/// The features of an image are its pixels: a method's own arithmetic can be followed by hand.
class PixelBackbone final : public Backbone {
 public:
  ParamList init(const Shapes&, Stream) const override { return {}; }
  Tensor features(const ParamList&, const Tensor& images, Forward&) const override {
    return images.flatten(2);
  }
  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    int64_t pixels = 1;
    for (const int64_t size : input) pixels *= size;
    return {pixels};
  }
};

std::unique_ptr<const Algorithm> matching_on_pixels(Json options = Json::object()) {
  options["name"] = "matching";
  return make_algorithm(options, std::make_shared<const PixelBackbone>());
}

/// Images of two pixels.
Tensor pixels(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).view({1, -1, 1, 1, 2});
}

Labelled support_of(const std::vector<double>& values, const std::vector<int64_t>& labels) {
  return {pixels(values), torch::tensor(labels, torch::kLong).unsqueeze(0)};
}

const Shapes kTwoPixels{{1, 1, 2}, 2};

Tensor logits(const Algorithm& algorithm, const ParamList& weights, const Labelled& support,
              const Tensor& query) {
  const std::vector<uint64_t> tasks{0};
  return algorithm.adapt(weights, support, kTwoPixels, Context{.tasks = tasks})->logits(query);
}

TEST_CASE("logits are the logarithms of a vote weighted by cosines") {
  // Cosines with the query (3, 4): 0.6, 0.8 and, of the same class as the first, 1.
  const Labelled support = support_of({2, 0, 0, 5, 0.3, 0.4}, {0, 1, 0});
  const auto probabilities = [&](double scale) {
    const auto algorithm = matching_on_pixels({{"cosine_scale", scale}});
    return logits(*algorithm, {}, support, pixels({3, 4})).exp()[0][0];
  };
  const double a = std::exp(0.6), b = std::exp(0.8), c = std::numbers::e;
  const Tensor expected = torch::tensor({a + c, b}, torch::kDouble) / (a + b + c);
  CHECK(difference(probabilities(1), expected) <= 1e-12);
  const double a3 = std::exp(1.8), b3 = std::exp(2.4), c3 = std::exp(3.0);
  const Tensor sharper = torch::tensor({a3 + c3, b3}, torch::kDouble) / (a3 + b3 + c3);
  CHECK(difference(probabilities(3), sharper) <= 1e-12);
}

TEST_CASE("a vote whose weights are below the smallest number has a finite logarithm") {
  const auto algorithm = matching_on_pixels({{"cosine_scale", 5000}});
  const Tensor found = logits(*algorithm, {}, support_of({1, 0, -1, 0}, {0, 1}), pixels({1, 0}));
  CHECK(difference(found[0][0], torch::tensor({0.0, -10000.0}, torch::kDouble)) <= 1e-9);
}

TEST_CASE("a class without support images is refused") {
  const auto algorithm = matching_on_pixels();
  const auto error = test::caught(
      [&] { logits(*algorithm, {}, support_of({1, 0, 0, 1}, {0, 0}), pixels({1, 0})); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
}

// ---- full context embeddings

/// All LSTM weights zero but the biases of the candidates, which are `candidate`: every gate is a
/// half, and a cell moves from c to c / 2 + tanh(candidate) / 2 whatever it reads.
ParamList blind_weights(const Algorithm& algorithm, double candidate) {
  ParamList weights = algorithm.init(kTwoPixels, Stream(0, Purpose::initialisation, 0))
                          .to(torch::kCPU, torch::kDouble);
  for (Param& param : weights) {
    param.value = torch::zeros_like(param.value);
    if (param.name.ends_with("bias_ih")) param.value.narrow(0, 4, 2).fill_(candidate);
  }
  return weights;
}

Tensor cosines(const Tensor& a, const Tensor& b) {
  return (a * b).sum(-1) / (a.norm(2, -1) * b.norm(2, -1));
}

TEST_CASE("g adds what a forward and a backward LSTM say to the features, f adds each step's") {
  const auto algorithm = matching_on_pixels({{"fce", true}, {"fce_steps", 2}});
  const ParamList weights = blind_weights(*algorithm, 0.7);
  // The cell after n images, from zero: (1 - 2^-n) tanh(0.7); the output is half its tanh. The
  // forward LSTM has read 1, 2, 3 images where the backward one has read 3, 2, 1.
  const auto output = [](double n) {
    return std::tanh((1 - std::pow(2, -n)) * std::tanh(0.7)) / 2;
  };
  const std::vector<double> images{2, 0, 0, 5, 1, 1};
  const Tensor context =
      torch::tensor({output(1) + output(3), 2 * output(2), output(3) + output(1)}, torch::kDouble);
  const Tensor g = torch::tensor(images, torch::kDouble).view({3, 2}) + context.unsqueeze(1);
  // The second step's output, plus the query.
  const Tensor f = torch::tensor({3.0, 4.0}, torch::kDouble) + output(2);
  const Tensor votes = cosines(f.expand({3, 2}), g).exp();
  const Tensor expected = torch::stack({votes[0] + votes[2], votes[1]}) / votes.sum();
  const Tensor found = logits(*algorithm, weights, support_of(images, {0, 1, 0}), pixels({3, 4}));
  CHECK(difference(found.exp()[0][0], expected) <= 1e-12);
}

TEST_CASE("f's first read-out is the mean of g, its second is weighted by dot products") {
  // Gates stand open by large biases: in and out 1, forget 0. Then an output is tanh(tanh(x)) of
  // the candidate x, which reads the second half of what recurs: the read-out.
  const auto algorithm = matching_on_pixels({{"fce", true}, {"fce_steps", 2}});
  ParamList weights = blind_weights(*algorithm, 0);
  for (Param& param : weights) {
    if (!param.name.starts_with("query_lstm.")) continue;
    if (param.name.ends_with("bias_ih")) {
      param.value.fill_(100);
      param.value.narrow(0, 2, 2).fill_(-100);
      param.value.narrow(0, 4, 2).fill_(0);
    }
    if (param.name.ends_with("weight_hh"))
      param.value.narrow(0, 4, 2).narrow(1, 2, 2).copy_(torch::eye(2, torch::kDouble));
  }
  // With a candidate of zero the support set's LSTMs say nothing: g is the pixels.
  const Tensor g = torch::tensor({{2.0, 0.0}, {0.0, 1.0}}, torch::kDouble);
  const Tensor query = torch::tensor({0.5, 0.25}, torch::kDouble);
  const Tensor first = g.mean(0).tanh().tanh() + query;
  const Tensor weighted = torch::softmax(g.mv(first), 0);
  const Tensor second = g.t().mv(weighted).tanh().tanh() + query;
  const Tensor votes = cosines(second.expand({2, 2}), g).exp();
  const Tensor found =
      logits(*algorithm, weights, support_of({2, 0, 0, 1}, {0, 1}), pixels({0.5, 0.25}));
  CHECK(difference(found.exp()[0][0], votes / votes.sum()) <= 1e-12);
}

TEST_CASE(
    "full context embeddings change the logits, and the number of steps does; K does not "
    "count without them") {
  const auto weights_from = matching_on_pixels({{"fce", true}});
  const ParamList weights = weights_from->init(kTwoPixels, Stream(2, Purpose::initialisation, 0))
                                .to(torch::kCPU, torch::kDouble);
  const auto with = [&](const Json& options) {
    return logits(*matching_on_pixels(options), weights, support_of({2, 0, 0, 5, 1, 1}, {0, 1, 0}),
                  pixels({3, 4}));
  };
  CHECK(difference(with({{"fce", true}}), with({{"fce", false}})) > 1e-3);
  CHECK(difference(with({{"fce", true}}), with({{"fce", true}, {"fce_steps", 1}})) > 1e-6);
  CHECK(torch::equal(with({{"fce", false}}), with({{"fce", false}, {"fce_steps", 1}})));
  CHECK(matching_on_pixels({{"fce", true}})->order_matters());
  CHECK_FALSE(matching_on_pixels()->order_matters());
}

// ---- training

TEST_CASE("learn is the gradient of its losses") {
  const Episodes tasks = test::random_tasks(2);
  const std::vector<uint64_t> indices{0, 1};
  const Context context{.training = true, .tasks = indices};
  for (const bool fce : {false, true}) {
    for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
      CAPTURE(fce);
      const auto algorithm = make_algorithm({{"name", "matching"}, {"fce", fce}, {"fce_steps", 2}},
                                            test::tiny_backbone(Json::object(), kernels));
      const auto error =
          test::learn_gradient_error(*algorithm, test::shaken_weights(*algorithm), tasks, context);
      CAPTURE(error.parameter);
      CHECK(error.worst <= 1e-5);
    }
  }
}

TEST_CASE("a short training beats the untrained network on new characters") {
  for (const bool fce : {false, true}) {
    CAPTURE(fce);
    const auto algorithm =
        make_algorithm({{"name", "matching"}, {"cosine_scale", 10}, {"fce", fce}},
                       test::tiny_backbone({{"channels", 8}, {"features", "mean"}}));
    const double untrained = test::glyph_accuracy(*algorithm, 0, 0.01);
    const double trained = test::glyph_accuracy(*algorithm, 150, 0.01);
    MESSAGE("untrained ", untrained, ", trained ", trained);
    CHECK(trained > untrained + 0.05);
  }
}

}  // namespace kshot::matching_test
