#include "episodes/minibatch_source.h"

#include <set>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/toy_dataset.h"

namespace kshot::minibatch_source_test {

using test::toy_dataset;

const DatasetPtr& toys() {  // 16 training classes of 12 images: 192
  static const DatasetPtr dataset = toy_dataset();
  return dataset;
}

MinibatchSource minibatches(int64_t batch, uint64_t seed = 1,
                            const std::vector<std::string>& splits = {"train"},
                            const DatasetView& view = {}) {
  return {toys(), view, splits, batch, seed};
}

std::vector<int64_t> epoch_rows(const MinibatchSource& source, uint64_t epoch) {
  std::vector<int64_t> rows;
  const auto batches = static_cast<uint64_t>(source.batches_per_epoch());
  for (uint64_t b = 0; b < batches; ++b) {
    const TaskPlan plan = source.plan(epoch * batches + b);
    rows.insert(rows.end(), plan.query.begin(), plan.query.end());
  }
  return rows;
}

TEST_CASE("each epoch shows every image once, in an order of its own") {
  const MinibatchSource source = minibatches(32);
  CHECK(source.batches_per_epoch() == 6);
  const std::vector<int64_t> first = epoch_rows(source, 0), second = epoch_rows(source, 1);
  for (const auto& rows : {first, second}) {
    const std::set<int64_t> images(rows.begin(), rows.end());
    CHECK(rows.size() == 192);
    CHECK(images.size() == 192);
    CHECK(*images.rbegin() == 191);  // those of the training classes
  }
  CHECK(first != second);
  CHECK_FALSE(std::is_sorted(first.begin(), first.end()));
}

TEST_CASE("a last, smaller batch is left out, and no image twice in an epoch") {
  const MinibatchSource source = minibatches(50);
  CHECK(source.batches_per_epoch() == 3);
  const std::vector<int64_t> rows = epoch_rows(source, 2);
  CHECK(std::set<int64_t>(rows.begin(), rows.end()).size() == 150);
}

TEST_CASE(
    "a batch is a function of seed and number: not of the batches drawn before, nor of their "
    "size's remainder") {
  const MinibatchSource source = minibatches(32), fresh = minibatches(32);
  const TaskPlan plan = source.plan(17);
  source.plan(3);
  CHECK(source.plan(17) == plan);
  CHECK(fresh.plan(17) == plan);
  CHECK(plan.index == 17);
  CHECK_FALSE(minibatches(32, 2).plan(17) == plan);
  // The epoch's order does not depend on the batch size.
  const std::vector<int64_t> of_32 = epoch_rows(source, 0), of_64 = epoch_rows(minibatches(64), 0);
  CHECK(of_32 == of_64);
}

TEST_CASE("a minibatch is one task without support, over all base classes") {
  const MinibatchSource source = minibatches(10);
  const TaskPlan plan = source.plan(0);
  CHECK(plan.outputs == 16);
  CHECK(plan.support.empty());
  const Episodes batch = source.load(std::span(&plan, 1));
  CHECK(batch.tasks() == 1);
  CHECK(batch.support.inputs.sizes() == torch::IntArrayRef({1, 0, 1, 8, 8}));
  CHECK(batch.query.inputs.sizes() == torch::IntArrayRef({1, 10, 1, 8, 8}));
  CHECK(torch::equal(batch.query.inputs[0], to_input(toys()->load(plan.query), {})));
  for (size_t i = 0; i < plan.query.size(); ++i) {
    const ClassInfo& info = toys()->manifest().classes[static_cast<size_t>(plan.query_labels[i])];
    CHECK(plan.query[i] >= info.first);
    CHECK(plan.query[i] < info.first + info.count);
  }
  CHECK(source.shapes().outputs == 16);
  CHECK(source.classes().size() == 16);
}

TEST_CASE("turned classes are classes of their own, with turned pixels") {
  DatasetView view;
  view.rotations = "all";
  const MinibatchSource source = minibatches(64, 1, {"train"}, view);
  CHECK(source.shapes().outputs == 64);
  CHECK(source.batches_per_epoch() == 12);
  const TaskPlan plan = source.plan(0);
  const Tensor images = source.load(std::span(&plan, 1)).query.inputs[0];
  const Tensor upright = to_input(toys()->load(plan.query), {});
  for (int64_t i = 0; i < 64; ++i) {
    const int64_t turns = plan.query_labels[static_cast<size_t>(i)] /
                          16;  // all classes upright, then at 90 degrees, ...
    CHECK(torch::equal(images[i], torch::rot90(upright[i], turns, {-2, -1})));
  }
}

TEST_CASE("minibatches of two splits show both") {
  CHECK(minibatches(32, 1, {"train", "validation"}).shapes().outputs == 24);
  CHECK(minibatches(32, 1, {"train", "validation"}).batches_per_epoch() == 9);
}

TEST_CASE("a batch larger than the split is refused with the number of images") {
  CHECK_NOTHROW(minibatches(192));
  const auto error = test::caught([] { minibatches(193); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()) ==
        "episodes.train.batch is 193, but split \"train\" has only 192 images");
}

}  // namespace kshot::minibatch_source_test
