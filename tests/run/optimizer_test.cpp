#include "framework/run/optimizer.h"

#include <cmath>
#include <numbers>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::optimizer_test {

using test::caught;
using test::message_of;

Tensor vector_of(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

ParamList weights_of(const std::vector<double>& values) {
  ParamList weights;
  weights.add({"w", vector_of(values)});
  return weights;
}

OptimizerOptions options_of(const Json& json) {
  OptimizerOptions options;
  read_config(options, json, "optimizer");
  return options;
}

/// w after steps with the gradients g[0], g[1], ...
std::vector<double> after_steps(const Json& options, double w,
                                const std::vector<double>& gradients) {
  const ParamList weights = weights_of({w});
  Optimizer optimizer(options_of(options), weights);
  std::vector<double> path;
  for (size_t i = 0; i < gradients.size(); ++i) {
    optimizer.step(weights_of({gradients[i]}), static_cast<int64_t>(i), 100);
    path.push_back(weights["w"].item<double>());
  }
  return path;
}

void check_path(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-13));
}

// ---- steps against the papers' formulas

struct AdamSettings {
  double lr = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, coupled_decay = 0, decoupled_decay = 0;
};

/// Kingma & Ba 2015, algorithm 1; decoupled decay: Loshchilov & Hutter 2019, algorithm 2.
std::vector<double> adam_by_hand(const AdamSettings& s, double w,
                                 const std::vector<double>& gradients) {
  double m = 0, v = 0;
  std::vector<double> path;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double t = static_cast<double>(i + 1), g = gradients[i] + s.coupled_decay * w;
    w -= s.lr * s.decoupled_decay * w;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    w -= s.lr * (m / (1 - std::pow(s.beta1, t))) /
         (std::sqrt(v / (1 - std::pow(s.beta2, t))) + s.eps);
    path.push_back(w);
  }
  return path;
}

const std::vector<double> kGradients{0.5, -2.0, 0.25};

TEST_CASE("Adam's first step is lr against the gradient's sign, whatever its size") {
  CHECK(after_steps({{"name", "adam"}, {"lr", 0.1}, {"eps", 0}}, 1.0, {1e-3})[0] ==
        doctest::Approx(0.9).epsilon(1e-13));
  CHECK(after_steps({{"name", "adam"}, {"lr", 0.1}, {"eps", 0}}, 1.0, {-1e3})[0] ==
        doctest::Approx(1.1).epsilon(1e-13));
}

TEST_CASE("Adam and AdamW follow the papers' formulas over three steps") {
  check_path(after_steps({{"name", "adam"}, {"lr", 0.1}}, 1.0, kGradients),
             adam_by_hand({}, 1.0, kGradients));
  check_path(
      after_steps({{"name", "adam"}, {"lr", 0.02}, {"beta1", 0.0}, {"beta2", 0.99}, {"eps", 1e-3}},
                  1.0, kGradients),
      adam_by_hand({.lr = 0.02, .beta1 = 0, .beta2 = 0.99, .eps = 1e-3}, 1.0, kGradients));
  check_path(after_steps({{"name", "adam"}, {"lr", 0.1}, {"weight_decay", 0.3}}, 1.0, kGradients),
             adam_by_hand({.coupled_decay = 0.3}, 1.0, kGradients));
  check_path(after_steps({{"name", "adamw"}, {"lr", 0.1}, {"weight_decay", 0.3}}, 1.0, kGradients),
             adam_by_hand({.decoupled_decay = 0.3}, 1.0, kGradients));
  check_path(after_steps({{"name", "adamw"}, {"lr", 0.1}}, 1.0, kGradients),
             adam_by_hand({}, 1.0, kGradients));
}

TEST_CASE("SGD: worked numbers over three steps") {
  check_path(after_steps({{"name", "sgd"}, {"lr", 0.1}}, 1.0, kGradients), {0.95, 1.15, 1.125});
  // Momentum 0.9: buffers 0.5, then 0.45 - 2 = -1.55, then -1.395 + 0.25 = -1.145.
  check_path(after_steps({{"name", "sgd"}, {"lr", 0.1}, {"momentum", 0.9}}, 1.0, kGradients),
             {0.95, 1.105, 1.2195});
  // Dampening 0.5 (not of the first gradient): 0.5, 0.45 - 1 = -0.55, -0.495 + 0.125 = -0.37.
  check_path(after_steps({{"name", "sgd"}, {"lr", 0.1}, {"momentum", 0.9}, {"dampening", 0.5}}, 1.0,
                         kGradients),
             {0.95, 1.005, 1.042});
  // Nesterov steps by g + 0.9 buffer: 0.95, -3.395, -0.7805.
  check_path(after_steps({{"name", "sgd"}, {"lr", 0.1}, {"momentum", 0.9}, {"nesterov", true}}, 1.0,
                         kGradients),
             {0.905, 1.2445, 1.32255});
  // Weight decay 0.5 adds w / 2: g = 1, then -2 + 0.45, then 0.25 + 0.5275.
  check_path(after_steps({{"name", "sgd"}, {"lr", 0.1}, {"weight_decay", 0.5}}, 1.0, kGradients),
             {0.9, 1.055, 0.97725});
}

TEST_CASE("Nesterov's momentum without momentum, or with dampening, is refused") {
  for (const Json& options :
       {Json{{"name", "sgd"}, {"nesterov", true}},
        Json{{"name", "sgd"}, {"nesterov", true}, {"momentum", 0.9}, {"dampening", 0.1}}}) {
    const auto error = caught([&] { Optimizer(options_of(options), weights_of({1})); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    CHECK(std::string(error->what()).find("optimizer.nesterov") != std::string::npos);
  }
}

TEST_CASE("only learnables move, in place") {
  ParamList weights = weights_of({1});
  weights.add({"mean", vector_of({1}), Role::buffer});
  weights.add({"teacher", vector_of({1}), Role::constant});
  Optimizer optimizer(options_of({{"name", "sgd"}, {"lr", 1.0}}), weights);
  optimizer.step(weights_of({0.25}), 0, 1);
  CHECK(weights["w"].item<double>() == 0.75);
  CHECK(weights["mean"].item<double>() == 1);
  CHECK(weights["teacher"].item<double>() == 1);
}

TEST_CASE("weights without learnables need no optimiser") {
  ParamList weights;
  weights.add({"mean", vector_of({1}), Role::buffer});
  Optimizer optimizer(options_of({{"name", "adam"}}), weights);
  optimizer.step({}, 0, 1);
  CHECK(optimizer.state().empty());
  CHECK_NOTHROW(optimizer.load_state({}, "FILE"));
}

// ---- schedules

std::vector<double> rates(const Json& schedule, double lr, int64_t iterations) {
  ScheduleOptions options;
  read_config(options, schedule, "schedule");
  std::vector<double> result;
  for (int64_t i = 0; i < iterations; ++i)
    result.push_back(scheduled_lr(options, lr, i, iterations));
  return result;
}

TEST_CASE("learning rates by iteration") {
  check_path(rates({{"name", "constant"}}, 0.4, 3), {0.4, 0.4, 0.4});
  check_path(rates({{"name", "step"}, {"every", 2}, {"factor", 0.5}}, 0.8, 7),
             {0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1});
  check_path(rates({{"name", "linear"}}, 1.0, 5), {1.0, 0.8, 0.6, 0.4, 0.2});  // Reptile: 1 -> 0
  check_path(rates({{"name", "linear"}, {"final_lr", 0.5}}, 1.0, 5), {1.0, 0.9, 0.8, 0.7, 0.6});
  const double half = std::numbers::sqrt2 / 2;
  check_path(rates({{"name", "cosine"}}, 2.0, 4), {2.0, 1 + half, 1.0, 1 - half});
  check_path(rates({{"name", "cosine"}, {"final_lr", 1.0}}, 3.0, 4),
             {3.0, 2 + half, 2.0, 2 - half});
}

TEST_CASE("per epoch, a rate is held for the epoch's iterations") {
  const double half = std::numbers::sqrt2 / 2;
  check_path(rates({{"name", "cosine"}, {"update_every", 2}}, 2.0, 8),
             {2.0, 2.0, 1 + half, 1 + half, 1.0, 1.0, 1 - half, 1 - half});
  check_path(rates({{"name", "linear"}, {"update_every", 3}}, 1.0, 6),
             {1.0, 1.0, 1.0, 0.5, 0.5, 0.5});
  // A step that falls inside an epoch waits for the epoch's end.
  check_path(rates({{"name", "step"}, {"every", 2}, {"factor", 0.5}, {"update_every", 3}}, 1.0, 7),
             {1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.125});
}

TEST_CASE("ProtoNet's schedule: 1e-3 halved every 2,000 episodes") {
  const OptimizerOptions options =
      options_of({{"schedule", {{"name", "step"}, {"every", 2000}, {"factor", 0.5}}}});
  CHECK(scheduled_lr(options.schedule, 1e-3, 1999, 20000) == 1e-3);
  CHECK(scheduled_lr(options.schedule, 1e-3, 2000, 20000) == 5e-4);
  CHECK(scheduled_lr(options.schedule, 1e-3, 19999, 20000) ==
        doctest::Approx(1e-3 / 512).epsilon(1e-13));
}

TEST_CASE("past the end a rate stays at its last value") {
  ScheduleOptions cosine{.name = "cosine", .final_lr = 0.25};
  CHECK(scheduled_lr(cosine, 1, 10, 10) == doctest::Approx(0.25));
  CHECK(scheduled_lr(cosine, 1, 15, 10) == doctest::Approx(0.25));
  CHECK(std::isfinite(scheduled_lr(cosine, 1, 0, 0)));
}

TEST_CASE("a step uses its own iteration's rate") {
  const ParamList weights = weights_of({0});
  Optimizer optimizer(
      options_of({{"name", "sgd"}, {"lr", 1.0}, {"schedule", {{"name", "linear"}}}}), weights);
  for (int64_t i = 0; i < 4; ++i) optimizer.step(weights_of({-1}), i, 4);
  CHECK(weights["w"].item<double>() == doctest::Approx(1 + 0.75 + 0.5 + 0.25).epsilon(1e-13));
}

// ---- groups

ParamList two_groups() {
  ParamList weights = weights_of({1});
  weights.add({"alpha", vector_of({1}), Role::learnable, "rates"});
  weights.add({"v", vector_of({1})});
  return weights;
}

TEST_CASE("a group has its own rate and weight decay, in proportion to the same schedule") {
  const ParamList weights = two_groups();
  Optimizer optimizer(options_of({{"name", "sgd"},
                                  {"lr", 0.1},
                                  {"groups", {{"rates", {{"lr", 0.01}, {"weight_decay", 2.0}}}}},
                                  {"schedule", {{"name", "step"}, {"every", 1}, {"factor", 0.5}}}}),
                      weights);
  ParamList gradients = two_groups();
  optimizer.step(gradients, 1, 10);
  CHECK(weights["w"].item<double>() == doctest::Approx(0.95).epsilon(1e-13));
  CHECK(weights["v"].item<double>() == doctest::Approx(0.95).epsilon(1e-13));
  CHECK(weights["alpha"].item<double>() == doctest::Approx(1 - 0.005 * (1 + 2)).epsilon(1e-13));
}

TEST_CASE(
    "a group that no parameter has is refused with the nearest name; so are unknown keys in one") {
  const auto message = [](const Json& groups) {
    return message_of([&] { Optimizer(options_of({{"groups", groups}}), two_groups()); });
  };
  CHECK(message({{"rate", {{"lr", 1}}}}).find("did you mean \"rates\"") != std::string::npos);
  CHECK(message({{"rates", {{"lrr", 1}}}}).find("optimizer.groups.rates") != std::string::npos);
  CHECK(message({{"rates", {{"lr", -1}}}}).find("optimizer.groups.rates.lr") != std::string::npos);
  CHECK(message(Json::array()).find("optimizer.groups") != std::string::npos);
  CHECK(message({{"rates", {{"lr", 1}}}}).empty());
}

// ---- state

const std::vector<Json>& all_kinds() {
  static const std::vector<Json> kinds{{{"name", "adam"}, {"lr", 0.1}},
                                       {{"name", "adamw"}, {"lr", 0.1}, {"weight_decay", 0.1}},
                                       {{"name", "sgd"}, {"lr", 0.1}, {"momentum", 0.9}},
                                       {{"name", "sgd"}, {"lr", 0.1}}};
  return kinds;
}

ParamList gradients_at(int64_t i) {
  ParamList gradients = two_groups();
  for (Param& gradient : gradients)
    gradient.value = gradient.value * std::sin(1.7 * static_cast<double>(i) + 0.3);
  return gradients;
}

TEST_CASE("an optimiser whose state was saved and loaded goes on with the same bits") {
  for (const Json& kind : all_kinds()) {
    CAPTURE(kind.dump());
    const ParamList whole = two_groups();
    Optimizer first(options_of(kind), whole);
    for (int64_t i = 0; i < 3; ++i) first.step(gradients_at(i), i, 10);
    const ParamList resumed = whole.clone();
    const ParamList saved = first.state().clone();
    Optimizer second(options_of(kind), resumed);
    second.load_state(saved, "FILE");
    for (int64_t i = 3; i < 6; ++i) {
      first.step(gradients_at(i), i, 10);
      second.step(gradients_at(i), i, 10);
    }
    for (const Param& param : whole) CHECK(torch::equal(param.value, resumed[param.name]));
    for (const Param& part : first.state())
      CHECK(torch::equal(part.value, second.state()[part.name]));
  }
}

TEST_CASE("loaded state shares no memory with what it was loaded from") {
  const ParamList weights = two_groups();
  Optimizer optimizer(options_of({{"name", "adam"}}), weights);
  optimizer.step(gradients_at(0), 0, 10);
  const ParamList saved = optimizer.state().clone(), before = saved.clone();
  optimizer.load_state(saved, "FILE");
  optimizer.step(gradients_at(1), 1, 10);
  for (const Param& part : saved) CHECK(torch::equal(part.value, before[part.name]));
}

TEST_CASE("no state is the state before the first step") {
  for (const Json& kind : all_kinds()) {
    Optimizer fresh(options_of(kind), two_groups());
    CHECK(fresh.state().empty());
    CHECK_NOTHROW(fresh.load_state({}, "FILE"));
  }
}

TEST_CASE("state of another optimiser, of other parameters or in part is refused") {
  ParamList good;
  {
    const ParamList weights = two_groups();
    Optimizer adam(options_of({{"name", "adam"}}), weights);
    adam.step(gradients_at(0), 0, 10);
    good = adam.state().clone();
  }
  REQUIRE(good.size() == 9);
  const auto refused = [](const Json& kind, const ParamList& state) {
    const auto error =
        caught([&] { Optimizer(options_of(kind), two_groups()).load_state(state, "FILE"); });
    return error && error->code() == Exit::bad_data &&
           std::string(error->what()).starts_with("FILE: ");
  };
  CHECK_FALSE(refused({{"name", "adam"}}, good));
  CHECK(refused({{"name", "sgd"}, {"momentum", 0.9}}, good));
  CHECK(refused({{"name", "sgd"}}, good));
  for (size_t left_out = 0; left_out < good.size(); ++left_out) {
    ParamList part;
    for (size_t i = 0; i < good.size(); ++i) {
      if (i != left_out) part.add(good.at(i));
    }
    CHECK(refused({{"name", "adam"}}, part));
  }
  ParamList extra = good;
  extra.add({"other.exp_avg", vector_of({1})});
  CHECK(refused({{"name", "adam"}}, extra));
  for (size_t i = 0; i < good.size(); ++i) {
    CAPTURE(good.at(i).name);
    ParamList misshapen = good;
    (misshapen.begin() + static_cast<int64_t>(i))->value = torch::ones({2}, torch::kDouble);
    CHECK(refused({{"name", "adam"}}, misshapen));
  }
  ParamList one_missing;
  for (const Param& part : good) {
    if (!part.name.starts_with("alpha.")) one_missing.add(part);
  }
  CHECK(refused({{"name", "adam"}}, one_missing));
}

}  // namespace kshot::optimizer_test
