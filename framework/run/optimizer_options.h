#pragma once

#include <optional>
#include <string>

#include "framework/base/fields.h"

namespace kshot {

/// How the learning rate changes over training.
struct ScheduleOptions {
  std::string name = "constant";
  int64_t every = 2000;
  double factor = 0.5;
  double final_lr = 0;
  int64_t update_every = 1;

  void describe(Fields& fields);
};

/// Settings of one parameter group that differ from the optimiser's.
struct GroupOptions {
  std::optional<double> lr, weight_decay;
  void describe(Fields& fields);
};

struct OptimizerOptions {
  std::string name = "adam";
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0, dampening = 0;
  bool nesterov = false;
  double weight_decay = 0;
  Json groups = Json::object();
  ScheduleOptions schedule;

  void describe(Fields& fields);
};

/// The learning rate of iteration `i` (from 0) of `iterations`, for a base rate `lr`:
/// step: lr factor^(i / every); linear and cosine: from lr at 0 to final_lr at `iterations`;
/// each held for `update_every` iterations (an epoch, where the paper's schedule runs per epoch).
double scheduled_lr(const ScheduleOptions& schedule, double lr, int64_t i, int64_t iterations);

}  // namespace kshot
