#include "experiments/episode_file.h"

#include "datasets/hdf5_writer.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 34;

/// One of the four tensors, filled task by task.
struct Column {
  Tensor all;

  void put(int64_t row, int64_t rows, const Tensor& values) {
    if (!all.defined()) {
      std::vector<int64_t> shape = values.sizes().vec();
      shape[0] = rows;
      all = torch::empty(shape, values.options());
    }
    all[row].copy_(values[0]);
  }
};

struct Columns {
  Column support_inputs, support_targets, query_inputs, query_targets;
};

void check_size(const Episodes& first, int64_t count) {
  const int64_t values = first.support.inputs.numel() + first.query.inputs.numel();
  const int64_t bytes = values * static_cast<int64_t>(sizeof(float));
  if (bytes <= kMaxBytes / count) return;
  throw Error(Exit::bad_spec,
              "--count is {}: the images would take more than {} GiB, at most {} tasks fit", count,
              kMaxBytes >> 30, kMaxBytes / bytes);
}

Columns load_all(const TaskSource& source, int64_t count) {
  Columns columns;
  for (int64_t i = 0; i < count; ++i) {
    const TaskPlan plan = source.plan(static_cast<uint64_t>(i));
    const Episodes task = source.load(std::span(&plan, 1));
    if (i == 0) check_size(task, count);
    columns.support_inputs.put(i, count, task.support.inputs);
    columns.support_targets.put(i, count, task.support.targets);
    columns.query_inputs.put(i, count, task.query.inputs);
    columns.query_targets.put(i, count, task.query.targets);
  }
  return columns;
}

std::string plan_lines(const TaskSource& source, int64_t count) {
  std::string lines;
  for (int64_t i = 0; i < count; ++i) {
    lines += plan_to_json(source.plan(static_cast<uint64_t>(i)), source.classes()).dump() + "\n";
  }
  return lines;
}

}  // namespace

Json plan_to_json(const TaskPlan& plan, const std::vector<TaskClass>& classes) {
  Json names = Json::array();
  for (const int64_t c : plan.classes) names.push_back(classes.at(static_cast<size_t>(c)).name);
  Json json{{"index", plan.index},     {"outputs", plan.outputs},
            {"classes", plan.classes}, {"class_names", names},
            {"support", plan.support}, {"support_labels", plan.support_labels},
            {"query", plan.query},     {"query_labels", plan.query_labels}};
  if (!plan.values.empty()) json["values"] = plan.values;
  return json;
}

void write_episode_file(const std::filesystem::path& path, const TaskSource& source, int64_t count,
                        const Json& info) {
  const Columns columns = load_all(source, count);
  AtomicFile file(path);
  Hdf5Writer writer(file);
  writer.write("support_inputs", columns.support_inputs.all);
  writer.write("support_targets", columns.support_targets.all);
  writer.write("query_inputs", columns.query_inputs.all);
  writer.write("query_targets", columns.query_targets.all);
  writer.write_text("plans", plan_lines(source, count));
  writer.write_text("episodes_sha256", plans_sha256(source, count));
  writer.write_text("info", info.dump());
  writer.finish();
  file.commit();
}

}  // namespace kshot
