#include "experiments/experiment.h"

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::experiment_test {

Experiment opened(const Json& changes = Json::object()) {
  Json json = test::tiny_tasks();
  json.merge_patch(changes);
  return open_experiment(read_spec(json, "cpu"), torch::kCPU);
}

std::string refusal(const Json& changes) {
  const auto error = test::caught([&] { opened(changes); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_spec);
  return error->what();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("the run id changes with what decides the numbers, and with nothing else") {
  const std::string id = opened().id;
  CHECK(id.size() == 12);
  CHECK(opened().id == id);
  CHECK(opened({{"name", "other"}}).id == id);
  CHECK(opened({{"log", {{"every", 7}, {"tensorboard", true}}}}).id == id);
  CHECK(opened({{"paper", {{"accuracy", 0.9}}}}).id == id);
  CHECK(opened({{"deviations", {"none"}}}).id == id);
  CHECK(opened({{"seed", 2}}).id != id);
  CHECK(opened({{"episodes", {{"test", {{"count", 13}}}}}}).id != id);
  CHECK(opened({{"dataset", {{"seed", 5}}}}).id != id);
  CHECK(opened({{"dtype", "float64"}}).id != id);
  CHECK(opened({{"train", {{"intra_op_threads", 1}}}}).id != id);
}

TEST_CASE("what the spec logs is what the training is asked to log") {
  const Training plain = training_of(opened(), "FOLDER");
  CHECK(plain.log_every == 100);
  CHECK_FALSE(plain.tensorboard);
  const Training asked =
      training_of(opened({{"log", {{"every", 7}, {"tensorboard", true}}}}), "FOLDER");
  CHECK(asked.log_every == 7);
  CHECK(asked.tensorboard);
}

TEST_CASE("options that an algorithm never looks at do not change its run id") {
  const Json pixels{{"algorithm", {{"name", "nearest_pixel"}}}};
  Json with_training = pixels;
  with_training.merge_patch({{"train", {{"iterations", 77}}},
                             {"optimizer", {{"lr", 0.5}}},
                             {"backbone", {{"channels", 3}}}});
  CHECK(opened(pixels).id == opened(with_training).id);
  CHECK_FALSE(opened(pixels).resolved.contains("train"));
}

TEST_CASE("an ensemble needs validations, and no retraining") {
  CHECK(refusal({{"train", {{"ensemble", 2}}}}) == "");
  CHECK(contains(refusal({{"train", {{"ensemble", 2}, {"validate_every", 0}}}}),
                 "train.validate_every"));
  CHECK(contains(refusal({{"train", {{"ensemble", 2}, {"retrain_extra", 10}}}}),
                 "train.retrain_extra"));
}

TEST_CASE("test tasks are the same for every seed and algorithm") {
  const std::string hash = plans_sha256(*opened().test, 12);
  CHECK(plans_sha256(*opened({{"seed", 9}}).test, 12) == hash);
  CHECK(plans_sha256(*opened({{"algorithm", {{"name", "nearest_pixel"}}}}).test, 12) == hash);
  CHECK(plans_sha256(*opened({{"episodes", {{"test", {{"seed", 1}}}}}}).test, 12) != hash);
}

TEST_CASE("blocks with the same content share one data set") {
  const Experiment experiment = opened();
  CHECK(experiment.train_data == experiment.test_data);
  Json other = test::tiny_tasks()["dataset"];
  other["seed"] = 3;
  const Experiment crossed = opened({{"episodes", {{"test", {{"dataset", other}}}}}});
  CHECK(crossed.train_data != crossed.test_data);
  CHECK(crossed.train_data == crossed.validation_data);
}

TEST_CASE("classes that are too few or too small are refused, with what would fit") {
  const std::string few = refusal({{"episodes", {{"test", {{"way", 6}}}}}});
  CHECK(contains(few, "\"test\" has 5 classes"));
  CHECK(contains(few, "lower way to 5"));
  const std::string small = refusal({{"episodes", {{"test", {{"shot", 5}, {"query", 4}}}}}});
  CHECK(contains(small, "has 8 images; 5-shot with 4 queries needs 9"));
  CHECK(contains(small, "query 3 or less would fit"));
  CHECK(contains(refusal({{"episodes", {{"test", {{"shot", 9}}}}}}), "shot 7 with query 1"));
}

TEST_CASE("a network that does not fit the images is refused before step 0") {
  CHECK(refusal({{"backbone", {{"blocks", 4}, {"channels", {8, 8}}}}}) != "");
}

TEST_CASE("only minibatches have epochs") {
  CHECK(contains(refusal({{"train", {{"epochs", 2}}}}), "train.epochs"));
}

TEST_CASE("minibatches cannot be retrained with more classes") {
  const std::string said = refusal({{"algorithm", {{"name", "test_minibatch"}}},
                                    {"episodes", {{"train", {{"kind", "minibatch"}}}}},
                                    {"train", {{"retrain_extra", 2}}}});
  CHECK(contains(said, "train.retrain_extra is 2, but minibatches"));
}

TEST_CASE("fresh weights are a function of the seed") {
  const ParamList a = fresh_weights(opened()), b = fresh_weights(opened()),
                  c = fresh_weights(opened({{"seed", 2}}));
  REQUIRE(a.size() == b.size());
  bool differs = false;
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a.at(i).value.equal(b.at(i).value));
    differs = differs || !a.at(i).value.equal(c.at(i).value);
  }
  CHECK(differs);
}

TEST_CASE("the tasks of each split come from its own classes") {
  const ExperimentSpec spec = read_spec(test::tiny_tasks(), "cpu");
  DatasetCache datasets;
  CHECK(held_out_source(spec, "train", datasets)->classes().size() == 10);
  CHECK(held_out_source(spec, "validation", datasets)->classes().size() == 5);
  CHECK(held_out_source(spec, "test", datasets)->classes().size() == 5);
  CHECK(contains(test::message_of([&] { held_out_source(spec, "tset", datasets); }), "\"tset\""));
}

}  // namespace kshot::experiment_test
