// A block by our own kernels against the plain composition, in everything that a spec can ask for.
#include "framework/model/conv_block.h"

#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::conv_block_test {

using test::Derivatives;
using test::derivatives;
using test::difference;
using test::numbers;

/// A convolution with all that may follow it, of `inputs` to `outputs` channels.
ParamList block_params(const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel,
                       std::optional<int64_t> tasks = {}) {
  ParamList params;
  uint64_t index = 100 * static_cast<uint64_t>(inputs);
  const auto add = [&](const char* what, std::vector<int64_t> shape) {
    if (tasks) shape.insert(shape.begin(), *tasks);
    params.add({name + what, numbers(shape, ++index)});
  };
  add(".conv.weight", {outputs, inputs, kernel, kernel});
  add(".conv.bias", {outputs});
  add(".norm.weight", {outputs});
  add(".norm.bias", {outputs});
  params.add({name + ".norm.running_mean", numbers({outputs}, ++index), Role::buffer});
  params.add({name + ".norm.running_var", numbers({outputs}, ++index).abs() + 0.5, Role::buffer});
  return params;
}

/// Values, first and second derivatives by images and parameters, of `compute(images, params)`.
Derivatives all_derivatives(const std::function<Tensor(const Tensor&, const ParamList&)>& compute,
                            const Tensor& images, const ParamList& params) {
  std::vector<Tensor> at{images};
  for (const Param& param : params) at.push_back(param.value);
  return derivatives(
      [&](const std::vector<Tensor>& in) {
        return compute(in[0], params.with_values({in.begin() + 1, in.end()}));
      },
      at);
}

void check_same(const Derivatives& fast, const Derivatives& plain) {
  CHECK(difference(fast.values, plain.values) <= 1e-10);
  for (size_t i = 0; i < plain.first.size(); ++i) {
    CAPTURE(i);
    const auto near = [](const Tensor& a, const Tensor& b) {
      return difference(a, b) <= 1e-9 * (1 + b.abs().max().item<double>());
    };
    CHECK(near(fast.first[i], plain.first[i]));
    CHECK(near(fast.second[i], plain.second[i]));
  }
}

struct Way {
  std::string name;
  ConvBlock block;
};

std::vector<Way> all_ways() {
  using Padding = Conv2d::Padding;
  std::vector<Way> ways{{"as it comes", {}}};
  const auto add = [&](const std::string& name, const auto& change) {
    ConvBlock block;
    change(block);
    ways.push_back({name, block});
  };
  add("stride 2 in place of pooling", [](ConvBlock& b) { b.conv.stride = 2, b.pool = false; });
  add("stride 2, same", [](ConvBlock& b) { b.conv = {2, Padding::same}, b.pool = false; });
  add("no padding", [](ConvBlock& b) { b.conv.padding = Padding::none; });
  add("no reduction", [](ConvBlock& b) { b.pool = false; });
  add("leaky", [](ConvBlock& b) { b.negative_slope = 0.1; });
  add("no activation", [](ConvBlock& b) { b.negative_slope = 1; });
  add("no norm", [](ConvBlock& b) { b.norm = false; });
  add("film", [](ConvBlock& b) { b.film = true; });
  add("film, no norm", [](ConvBlock& b) { b.film = true, b.norm = false; });
  add("pool before activation",
      [](ConvBlock& b) { b.stages = {Stage::norm, Stage::pool, Stage::activation}; });
  return ways;
}

TEST_CASE(
    "fast equals reference to the second derivative: every stage, every mode of batch norm, shared "
    "and per-task parameters") {
  constexpr int64_t kTasks = 2;
  for (const Way& way : all_ways()) {
    CAPTURE(way.name);
    for (const int64_t channels : {3, 16}) {
      CAPTURE(channels);
      const Tensor images = numbers({kTasks, 2, channels, 7, 6}, 1);
      const Film film{numbers({kTasks, 16}, 2), numbers({kTasks, 16}, 3)};
      const NormStatistics given{
          {"b.norm", numbers({kTasks, 16}, 4), numbers({kTasks, 16}, 5).abs() + 0.5, 9}};
      for (const int mode : {0, 1, 2, 3}) {
        CAPTURE(mode);
        const ParamList params =
            block_params("b", channels, 16, 3, mode % 2 == 0 ? std::optional<int64_t>() : kTasks);
        const auto by = [&](Kernels kernels) {
          return all_derivatives(
              [&](const Tensor& x, const ParamList& p) {
                NormStatistics met;
                Forward forward{.given = &given, .film = &film, .kernels = kernels};
                if (mode == 1) forward.norm = NormMode::given;
                if (mode == 2) forward.norm = NormMode::running;
                if (mode == 3) forward.met = &met, forward.differentiable_met = true;
                Tensor y = conv_block(x, p, "b", way.block, forward);
                if (mode != 3 || !way.block.norm) return y;
                return y + met[0].mean.mul(met[0].variance).sum();  // the query set's share
              },
              images, params);
        };
        check_same(by(Kernels::fast), by(Kernels::reference));
      }
    }
  }
}

/// resnet12's block (Oreshkin et al. 2018): three convolutions, a shortcut of 1x1, a sum, and then
/// activation and pooling.
Tensor residual_block(const Tensor& x, const ParamList& params, Forward& forward) {
  const ConvBlock inner{.pool = false, .negative_slope = 0.1};
  const ConvBlock last{.pool = false, .negative_slope = 1};
  Tensor y = conv_block(x, params, "1", inner, forward);
  y = conv_block(y, params, "2", inner, forward);
  y = conv_block(y, params, "3", last, forward);
  y = y + conv_block(x, params, "shortcut", last, forward);
  return max_pool2(torch::leaky_relu(y, 0.1));
}

TEST_CASE(
    "a residual block takes the fast path, and equals the reference to the second derivative") {
  ParamList params;
  for (const auto& [name, inputs, kernel] :
       {std::tuple{"1", 3, 3}, std::tuple{"2", 16, 3}, std::tuple{"3", 16, 3},
        std::tuple{"shortcut", 3, 1}}) {
    for (const Param& param : block_params(name, inputs, 16, kernel)) params.add(param);
  }
  const Tensor images = numbers({2, 2, 3, 6, 6}, 1);
  PathLog paths;
  const auto by = [&](Kernels kernels) {
    return all_derivatives(
        [&](const Tensor& x, const ParamList& p) {
          Forward forward{.kernels = kernels, .paths = kernels == Kernels::fast ? &paths : nullptr};
          return residual_block(x, p, forward);
        },
        images, params);
  };
  check_same(by(Kernels::fast), by(Kernels::reference));
  REQUIRE(paths.layers().size() == 4);
  for (const auto& [name, used] : paths.layers()) {
    CAPTURE(name);
    REQUIRE(used.size() == 1);
    CHECK(used[0].find("reference") == std::string::npos);
  }
}

TEST_CASE(
    "a block under other names is the same block; norm_block() is what follows its convolution") {
  const Tensor images = numbers({2, 3, 3, 7, 6}, 1);
  const ParamList params = block_params("b", 3, 16, 3);
  ParamList renamed;
  for (const Param& param : params) {
    std::string name = param.name.substr(2);
    name.replace(0, name.find('.'), name.starts_with("conv") ? "features.0" : "features.1");
    renamed.add({name, param.value, param.role});
  }
  for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
    PathLog paths;
    Forward forward{.kernels = kernels}, logged{.kernels = kernels, .paths = &paths};
    const Tensor expected = conv_block(images, params, "b", {}, forward);
    const BlockNames names{"features.0", "features.1"};
    CHECK(torch::equal(conv_block(images, renamed, names, {}, logged), expected));
    const Tensor map = conv2d(images, params["b.conv.weight"], params["b.conv.bias"], {});
    CHECK(difference(norm_block(map, renamed, "features.1", {}, logged), expected) <= 1e-10);
    REQUIRE(paths.layers().size() == 2);
    CHECK(paths.layers()[0].name == "features.0");
    CHECK(paths.layers()[1].name == "features.1");
  }
}

TEST_CASE("a block of a convolution alone is that convolution, bias included") {
  const Tensor images = numbers({2, 3, 16, 7, 6}, 1);
  const ParamList params = block_params("b", 16, 16, 3);
  const ConvBlock bare{.norm = false, .pool = false, .negative_slope = 1};
  const Tensor expected = conv2d(images, params["b.conv.weight"], params["b.conv.bias"], {});
  for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
    PathLog paths;
    Forward forward{.kernels = kernels, .paths = &paths};
    CHECK(difference(conv_block(images, params, "b", bare, forward), expected) <= 1e-10);
    const bool fast = kernels == Kernels::fast;
    CHECK(paths.layers()[0].paths[0] == (fast ? "convolution winograd" : "convolution reference"));
  }
}

TEST_CASE("a block says which kernels computed it, each way once, in the network's order") {
  const Tensor images = numbers({1, 2, 16, 7, 7}, 1);
  PathLog paths;
  const auto pass = [&](const char* name, const ConvBlock& block, Kernels kernels) {
    Forward forward{.kernels = kernels, .paths = &paths};
    conv_block(images, block_params(name, 16, 16, 3), name, block, forward);
  };
  pass("z", {}, Kernels::fast);
  pass("z", {}, Kernels::fast);
  pass("z", {}, Kernels::reference);
  pass("a", {.conv = {.stride = 2}, .pool = false}, Kernels::fast);
  pass("pooled to the edge", {.pool_same = true}, Kernels::fast);
  const auto layers = paths.layers();
  REQUIRE(layers.size() == 3);
  using Paths = std::vector<std::string>;
  CHECK(layers[0].name == "z");
  CHECK(layers[0].paths ==
        Paths{"convolution winograd, the rest fused", "convolution reference, the rest reference"});
  CHECK(layers[1].paths == Paths{"convolution library, the rest fused"});
  CHECK(layers[2].paths == Paths{"convolution winograd, the rest reference"});
}

}  // namespace kshot::conv_block_test
