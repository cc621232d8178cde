// Features and logits of every architecture against torchvision's and timm's, on weights made by
// the formula of tests/golden/make_backbones.py.
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/model/backbone.h"
#include "framework/model/task_ops.h"
#include "tests/doctest_torch.h"

namespace kshot::backbones_golden_test {

constexpr int64_t kPeriod = 8191;

/// sin(0.37 k) with k = (i i + h i + h) mod 8191: a function of the name and i.
std::vector<double> fill(const std::string& name, int64_t count) {
  static const auto sines = [] {
    std::array<double, kPeriod> table{};
    for (size_t k = 0; k < table.size(); ++k) table[k] = std::sin(0.37 * static_cast<double>(k));
    return table;
  }();
  int64_t h = 0;
  for (const char byte : name) h = (h * 31 + static_cast<unsigned char>(byte)) % kPeriod;
  std::vector<double> values(static_cast<size_t>(count));
  for (int64_t n = 0; n < count; ++n) {
    const int64_t i = n % kPeriod;
    values[static_cast<size_t>(n)] = sines[static_cast<size_t>((i * i + h * i + h) % kPeriod)];
  }
  return values;
}

Tensor filled(const std::string& name, const std::vector<int64_t>& shape) {
  Tensor tensor = torch::empty(shape, torch::kDouble);
  const std::vector<double> values = fill(name, tensor.numel());
  std::copy(values.begin(), values.end(), tensor.data_ptr<double>());
  return tensor;
}

bool is_one_of(const std::string& name, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return name.find(part) != std::string::npos; });
}

/// As golden_value() of the script.
Tensor golden_value(const std::string& name, const std::vector<int64_t>& shape) {
  const Tensor values = filled(name, shape);
  if (name.ends_with("running_mean")) return 0.2 * values;
  if (name.ends_with("running_var")) return 1 + 0.3 * values;
  if (is_one_of(name, {"pos_embed", "token"})) return 0.5 * values;
  if (shape.size() >= 2) {
    const int64_t fan_in = values.numel() / shape[0];
    return (shape.size() == 2 ? 3 : 2) / std::sqrt(static_cast<double>(fan_in)) * values;
  }
  if (name.ends_with("bias")) return 0.1 * values;
  const bool ends_branch = name.ends_with("bn2.weight") || name.ends_with("bn3.weight");
  return (ends_branch ? 0.5 : 1) * (1 + 0.2 * values);
}

/// [1,2,C,H,W]
Tensor golden_images(const std::vector<int64_t>& shape) {
  std::vector<Tensor> images;
  for (int n = 0; n < 2; ++n) {
    const Tensor noise = filled("image " + std::to_string(n), shape);
    const Tensor places = torch::arange(noise.numel(), torch::kDouble);
    const Tensor wave = torch::sin(0.01 * (n + 1) * places).view(shape);
    images.push_back(0.5 * noise + 0.5 * wave);
  }
  return torch::stack(images).unsqueeze(0);
}

Json golden_networks() {
  std::ifstream file(KSHOT_SOURCE_DIR "/tests/golden/backbones.json");
  return Json::parse(file);
}

/// One architecture with its weights and head, in float64.
struct GoldenNetwork {
  BackbonePtr backbone;
  ParamList weights;
  Tensor head_weight, head_bias, images;
};

GoldenNetwork golden_network(const Json& golden) {
  const Json& block = golden["block"];
  const std::string head = golden["head"];
  const std::vector<int64_t> image = golden["image"];
  GoldenNetwork network;
  network.backbone = Registry<BackbonePlugin>::instance().find(block["name"]).make(block);
  const int64_t classes = golden["logits"]["count"];
  network.weights = network.backbone->layout({image, classes});
  for (Param& param : network.weights)
    param.value = golden_value(param.name, param.value.sizes().vec());
  const std::vector<int64_t> features = network.backbone->output_shape(image);
  const double scale = golden["head_scale"];
  network.head_weight = scale * golden_value(head + ".weight", {classes, features[0]});
  network.head_bias = scale * golden_value(head + ".bias", {classes});
  network.images = golden_images(image);
  return network;
}

/// found [2,F] against a summary of the script's: some values, and a weighted mean over all.
void check_summary(const std::string& name, const Tensor& found, const Json& golden, double scale,
                   double tolerance) {
  CAPTURE(name);
  const int64_t count = golden["count"];
  REQUIRE(found.sizes() == torch::IntArrayRef({2, count}));
  const Tensor weights = filled(name, {count});
  const std::vector<int64_t> index = golden["index"];
  for (int64_t n = 0; n < 2; ++n) {
    CAPTURE(n);
    const auto image = static_cast<size_t>(n);
    const Tensor values = found[n].to(torch::kDouble);
    const auto near = [&](double a, double b) { return std::abs(a - b) <= tolerance * scale; };
    for (size_t k = 0; k < index.size(); ++k) {
      CAPTURE(index[k]);
      CHECK(near(values[index[k]].item<double>(), golden["values"][image][k]));
    }
    CHECK(near((values * weights).mean().item<double>(), golden["weighted_mean"][image]));
  }
}

void check_golden(const Json& golden) {
  CAPTURE(golden["block"].dump());
  const GoldenNetwork network = golden_network(golden);
  for (const auto& [dtype, tolerance] :
       {std::pair{torch::kDouble, 1e-9}, std::pair{torch::kFloat, 1e-4}}) {
    CAPTURE(toString(dtype));
    const ParamList weights = network.weights.to(torch::kCPU, dtype);
    for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
      CAPTURE(static_cast<int>(kernels));
      const torch::NoGradGuard no_grad;
      Forward forward{.norm = NormMode::running};
      const Tensor features = with_kernels(network.backbone, kernels)
                                  ->features(weights, network.images.to(dtype), forward);
      const Tensor logits =
          linear(features, network.head_weight.to(dtype), network.head_bias.to(dtype));
      check_summary("features", features[0], golden["features"], golden["features"]["largest"],
                    tolerance);
      check_summary("logits", logits[0], golden["logits"], golden["logits"]["largest"], tolerance);
    }
  }
}

int64_t with_head(const Json& golden) {
  const Json& block = golden["block"];
  const auto backbone = Registry<BackbonePlugin>::instance().find(block["name"]).make(block);
  const std::vector<int64_t> image = golden["image"];
  const int64_t classes = golden["logits"]["count"];
  return count_learnable(backbone->layout({image, classes})) +
         classes * (backbone->output_shape(image)[0] + 1);
}

TEST_CASE("with a head each architecture has as many parameters as torchvision's") {
  for (const Json& golden : golden_networks()) {
    CAPTURE(golden["block"].dump());
    CHECK(with_head(golden) == golden["parameters"]);
  }
}

TEST_CASE("a backbone names the layer that takes its features in torchvision's files") {
  for (const Json& golden : golden_networks()) {
    const Json& block = golden["block"];
    CAPTURE(block.dump());
    const auto backbone = Registry<BackbonePlugin>::instance().find(block["name"]).make(block);
    const std::string expected = golden["head"];
    CHECK(backbone->head() == (block["name"] == "resnet12" ? "" : expected));
    CHECK(with_kernels(backbone, Kernels::fast)->head() == backbone->head());
  }
}

TEST_CASE("reduced networks of every family have torchvision's features and logits") {
  int checked = 0;
  for (const Json& golden : golden_networks()) {
    if (golden["slow"]) continue;
    check_golden(golden);
    ++checked;
  }
  CHECK(checked >= 12);
}

TEST_CASE("whole networks have torchvision's features and logits" * doctest::test_suite("slow")) {
  int checked = 0;
  for (const Json& golden : golden_networks()) {
    if (!golden["slow"]) continue;
    check_golden(golden);
    ++checked;
  }
  CHECK(checked >= 16);
}

}  // namespace kshot::backbones_golden_test
