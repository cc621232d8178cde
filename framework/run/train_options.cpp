#include "framework/run/train_options.h"

namespace kshot {

void TrainOptions::describe(Fields& fields) {
  fields.option("iterations", iterations, {.help = "outer steps", .min = 0, .max = 1e9});
  fields.option("meta_batch", meta_batch, {.help = "tasks per outer step", .min = 1, .max = 1e5});
  fields.option("validate_every", validate_every,
                {.help = "iterations between two validations; 0: never", .min = 0});
  fields.option(
      "patience", patience,
      {.help = "validations without improvement after which training ends; 0: never", .min = 0});
  fields.option(
      "select_by", select_by,
      {.help = "which validation figure chooses the checkpoint; a regression has the loss alone",
       .one_of = {"accuracy", "loss"}});
  fields.option("ensemble", ensemble,
                {.help = "how many of the best validated weights are tested together, by the mean "
                         "of their logits",
                 .min = 1,
                 .max = 100});
  fields.option("retrain_extra", retrain_extra,
                {.help = "train again from the start on train and validation classes, for the best "
                         "length found plus this many iterations",
                 .min = 0});
  fields.option(
      "task_mode", task_mode,
      {.help = "threads: one task a call; batched: all along the task axis; auto: threads on "
               "a CPU, batched on a GPU",
       .one_of = {"auto", "threads", "batched"}});
  fields.option(
      "intra_op_threads", intra_op_threads,
      {.help = "LibTorch threads inside a task; by default 2 on a CPU when meta_batch is 1, else 1",
       .min = 1,
       .max = 1024});
  fields.option("clip_value", clip_value,
                {.help = "largest absolute value of a gradient's element", .min = 0});
  fields.option("clip_norm", clip_norm,
                {.help = "largest Euclidean norm of the whole gradient", .min = 0});
  fields.option(
      "statistics_momentum", statistics_momentum,
      {.help = "share of a task's batch-norm statistics in the running ones", .min = 0, .max = 1});
  fields.option("epochs", epochs,
                {.help = "minibatches: passes over the images, in place of iterations", .min = 0});
}

}  // namespace kshot
