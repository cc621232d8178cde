#include "framework/model/params.h"

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::params_test {

using test::numbers;

ParamList sample() {
  ParamList params;
  params.add({"net.weight", numbers({2, 3}, 1)});
  params.add({"net.mean", numbers({3}, 2), Role::buffer});
  params.add({"network.weight", numbers({4}, 3), Role::constant});
  params.add({"rate", numbers({1}, 4), Role::learnable, "rates"});
  params.add({"steps", torch::tensor({7, 8}, torch::kLong), Role::buffer});
  return params;
}

std::vector<std::string> names_of(const ParamList& params) {
  std::vector<std::string> names;
  for (const Param& param : params) names.push_back(param.name);
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("parameters are found by name, and a missing one is a defect with its name") {
  const ParamList params = sample();
  CHECK(params["net.mean"].size(0) == 3);
  CHECK(params.find("nothing") == nullptr);
  const auto error = test::caught([&] { params["net.wieght"]; });
  REQUIRE(error);
  CHECK(error->code() == Exit::internal);
  CHECK(std::string(error->what()).find("net.wieght") != std::string::npos);
}

TEST_CASE("a scope holds what is below its prefix, not what merely begins alike") {
  CHECK(names_of(sample().scope("net")) == Names{"weight", "mean"});
  CHECK(sample().scope("ne").empty());
  CHECK(sample().scope("net.weight").empty());
}

TEST_CASE("adding a part under a prefix and taking that scope gives the part again") {
  ParamList whole;
  whole.add("part", sample());
  const ParamList again = whole.scope("part"), part = sample();
  REQUIRE(again.size() == part.size());
  for (size_t i = 0; i < part.size(); ++i) {
    CHECK(again.at(i).name == part.at(i).name);
    CHECK(again.at(i).role == part.at(i).role);
    CHECK(again.at(i).group == part.at(i).group);
    CHECK(torch::equal(again.at(i).value, part.at(i).value));
  }
}

TEST_CASE("roles select in order, and only learnables count") {
  CHECK(names_of(sample().with_role(Role::learnable)) == Names{"net.weight", "rate"});
  CHECK(names_of(sample().with_role(Role::buffer)) == Names{"net.mean", "steps"});
  CHECK(names_of(sample().with_role(Role::constant)) == Names{"network.weight"});
  CHECK(count_learnable(sample()) == 7);
}

TEST_CASE(
    "attached learnables are leaves that share memory with their originals; the rest is no part of "
    "the graph") {
  const ParamList params = sample(), attached = params.attach();
  for (size_t i = 0; i < params.size(); ++i) {
    const Tensor &original = params.at(i).value, &leaf = attached.at(i).value;
    CHECK(leaf.is_leaf());
    CHECK(leaf.requires_grad() == (params.at(i).role == Role::learnable));
    CHECK_FALSE(original.requires_grad());
    CHECK(leaf.data_ptr() == original.data_ptr());
    CHECK_FALSE(leaf.is_same(original));
  }
  CHECK_FALSE(attached.at(0).value.is_same(params.attach().at(0).value));
}

TEST_CASE("a clone shares no memory with the original") {
  const ParamList params = sample(), copy = params.clone();
  copy["net.weight"].zero_();
  CHECK(params["net.weight"].abs().sum().item<double>() > 0);
}

TEST_CASE("a new dtype is for floating-point parameters; counters keep theirs") {
  const ParamList moved = sample().to(torch::kCPU, torch::kFloat);
  CHECK(moved["net.weight"].scalar_type() == torch::kFloat);
  CHECK(moved["net.mean"].scalar_type() == torch::kFloat);
  CHECK(moved["steps"].scalar_type() == torch::kLong);
}

TEST_CASE("new values keep names, roles and groups, and their number must fit") {
  const ParamList params = sample();
  std::vector<Tensor> values = params.values();
  values[3] = torch::zeros({1});
  const ParamList changed = params.with_values(values);
  CHECK(changed.at(3).group == "rates");
  CHECK(torch::equal(changed["rate"], torch::zeros({1})));
  CHECK_FALSE(torch::equal(params["rate"].to(torch::kFloat), torch::zeros({1})));
  values.pop_back();
  CHECK_THROWS_AS(params.with_values(values), c10::Error);
}

}  // namespace kshot::params_test
