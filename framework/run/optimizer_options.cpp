#include "framework/run/optimizer_options.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kshot {

void ScheduleOptions::describe(Fields& fields) {
  fields.option("name", name,
                {.help = "how the learning rate changes",
                 .one_of = {"constant", "step", "linear", "cosine"}});
  fields.option("every", every, {.help = "step: iterations between two reductions", .min = 1});
  fields.option("factor", factor,
                {.help = "step: what the rate is multiplied with", .min = 0, .max = 1});
  fields.option("final_lr", final_lr, {.help = "linear, cosine: the rate at the end", .min = 0});
  fields.option(
      "update_every", update_every,
      {.help = "iterations for which a rate is held; 1, or the length of an epoch where a "
               "paper's schedule runs per epoch",
       .min = 1});
}

void GroupOptions::describe(Fields& fields) {
  fields.option("lr", lr, {.help = "learning rate of this group", .min = 0});
  fields.option("weight_decay", weight_decay, {.help = "weight decay of this group", .min = 0});
}

void OptimizerOptions::describe(Fields& fields) {
  fields.option("name", name, {.help = "the outer optimiser", .one_of = {"adam", "adamw", "sgd"}});
  fields.option("lr", lr,
                {.help = "learning rate", .symbol = "β (MAML), ε (Reptile)", .min = 0, .max = 1e3});
  fields.option(
      "beta1", beta1,
      {.help = "adam: decay of the first moment", .symbol = "β1", .min = 0, .max = 0.999999});
  fields.option(
      "beta2", beta2,
      {.help = "adam: decay of the second moment", .symbol = "β2", .min = 0, .max = 0.999999});
  fields.option(
      "eps", eps,
      {.help = "adam: added to the root of the second moment", .symbol = "ε", .min = 0, .max = 1});
  fields.option("momentum", momentum, {.help = "sgd: momentum", .min = 0, .max = 1});
  fields.option("dampening", dampening,
                {.help = "sgd: dampening of the momentum", .min = 0, .max = 1});
  fields.option("nesterov", nesterov, {.help = "sgd: Nesterov's momentum"});
  fields.option("weight_decay", weight_decay,
                {.help = "weight decay (decoupled with adamw)", .min = 0, .max = 1e3});
  fields.option("groups", groups,
                {.help = "{group: {\"lr\": ..., \"weight_decay\": ...}} for parameter groups"});
  fields.section("schedule", schedule);
}

double scheduled_lr(const ScheduleOptions& schedule, double lr, int64_t i, int64_t iterations) {
  const int64_t held = i / schedule.update_every * schedule.update_every;
  if (schedule.name == "step") {
    const int64_t reductions = held / schedule.every;
    return lr * std::pow(schedule.factor, static_cast<double>(reductions));
  }
  const double progress = std::clamp(
      static_cast<double>(held) / static_cast<double>(std::max<int64_t>(1, iterations)), 0.0, 1.0);
  if (schedule.name == "linear") return lr + (schedule.final_lr - lr) * progress;
  if (schedule.name == "cosine") {
    return schedule.final_lr +
           (lr - schedule.final_lr) * (1 + std::cos(std::numbers::pi * progress)) / 2;
  }
  return lr;
}

}  // namespace kshot
