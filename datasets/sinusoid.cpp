// The sinusoid regressions of MAML. Finn, Abbeel, Levine: "Model-agnostic meta-learning for fast
// adaptation of deep networks", ICML 2017, section 5.1.
//
// A task is a curve y = A sin(x - phi) with A and phi of its own; support and query are points on
// it, and the loss is the mean squared error. There are no classes and no files.
//
// Differences from the reference code (cbfinn/maml, data_generator.py): none in the distributions.
// Here the curve of task i is the same whatever its shot and query, and a larger shot adds points.
#include <cmath>
#include <numbers>

#include "datasets/task_generator.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

// Branches of a task's random stream.
constexpr uint64_t kCurve = 0, kSupport = 1, kQuery = 2;

// TaskPlan::values: the amplitude, the phase, then x of each support and query point.
constexpr size_t kAmplitude = 0, kPhase = 1, kFirstPoint = 2;

struct Range {
  double low, high;
};

struct SinusoidOptions {
  std::vector<double> amplitude{0.1, 5};
  std::vector<double> phase{0, std::numbers::pi};
  std::vector<double> x{-5, 5};

  void describe(Fields& fields) {
    fields.option("amplitude", amplitude,
                  {.help = "a task's amplitude is uniform between these two", .symbol = "A"});
    fields.option(
        "phase", phase,
        {.help = "a task's phase is uniform between these two; by default 0 and π", .symbol = "φ"});
    fields.option("x", x,
                  {.help = "where its points lie: uniform between these two", .symbol = "x"});
  }
};

Range range_of(const char* name, const std::vector<double>& values) {
  if (values.size() != 2 || !(values[0] <= values[1])) {
    throw Error(Exit::bad_spec, "dataset.{} is [{}], expected two numbers, the lower one first",
                name, fmt::join(values, ", "));
  }
  return {values[0], values[1]};
}

struct Ranges {
  Range amplitude, phase, x;

  /// Names the data: equal texts draw equal tasks.
  std::string text() const {
    return fmt::format("A sin(x - phi), A in [{},{}], phi in [{},{}], x in [{},{}]", amplitude.low,
                       amplitude.high, phase.low, phase.high, x.low, x.high);
  }
};

double draw(Stream& stream, const Range& range) { return stream.uniform(range.low, range.high); }

void check_shape(const EpisodeShape& shape) {
  if (shape.way != 1) {
    throw Error(Exit::bad_spec,
                "way is {}, but a sinusoid has no classes: its tasks have way 1, shot support "
                "points and query query points",
                shape.way);
  }
  if (shape.query < 1)
    throw Error(Exit::bad_spec, "query is 0, but a sinusoid needs a query point");
}

class SinusoidTasks final : public TaskSource {
 public:
  SinusoidTasks(const Ranges& ranges, const std::string& sha256, const EpisodeShape& shape,
                const EpisodeStream& stream)
      : ranges_(ranges),
        shape_(shape),
        key_(sha256_u64(
            fmt::format("{}|{}|{}", stream.seed, sha256, fmt::join(stream.splits, "+")))),
        purpose_(stream.purpose) {
    check_shape(shape);
  }

  TaskPlan plan(uint64_t index) const override {
    const Stream stream(key_, purpose_, index);
    Stream curve = stream.split(kCurve);
    TaskPlan plan;
    plan.index = index;
    plan.outputs = 1;
    plan.values = {draw(curve, ranges_.amplitude), draw(curve, ranges_.phase)};
    const auto add_points = [&](int64_t count, Stream points, std::vector<int64_t>& numbers) {
      for (int64_t i = 0; i < count; ++i) {
        numbers.push_back(static_cast<int64_t>(plan.values.size() - kFirstPoint));
        plan.values.push_back(draw(points, ranges_.x));
      }
    };
    add_points(shape_.shot, stream.split(kSupport), plan.support);
    add_points(shape_.query, stream.split(kQuery), plan.query);
    return plan;
  }

  Episodes load(std::span<const TaskPlan> plans) const override {
    std::vector<Labelled> support, query;
    for (const TaskPlan& plan : plans) {
      TORCH_CHECK(plan.same_shape(plans[0]), "load: plans of unequal shape");
      support.push_back(points_of(plan, plan.support));
      query.push_back(points_of(plan, plan.query));
    }
    return {stacked(support), stacked(query), 1, std::vector<TaskPlan>(plans.begin(), plans.end())};
  }

  Shapes shapes() const override { return {{1}, 1}; }
  const std::vector<TaskClass>& classes() const override { return classes_; }
  TaskKind kind() const override { return TaskKind::regression; }

 private:
  /// [N,1] each; float32, as all data sets give their samples.
  static Labelled points_of(const TaskPlan& plan, const std::vector<int64_t>& numbers) {
    const auto count = static_cast<int64_t>(numbers.size());
    Labelled points{torch::empty({count, 1}), torch::empty({count, 1})};
    for (int64_t i = 0; i < count; ++i) {
      const auto number = static_cast<size_t>(numbers[static_cast<size_t>(i)]);
      const double x = plan.values.at(kFirstPoint + number);
      const double y = plan.values.at(kAmplitude) * std::sin(x - plan.values.at(kPhase));
      points.inputs.data_ptr<float>()[i] = static_cast<float>(x);
      points.targets.data_ptr<float>()[i] = static_cast<float>(y);
    }
    return points;
  }

  static Labelled stacked(const std::vector<Labelled>& tasks) {
    std::vector<Tensor> inputs, targets;
    for (const Labelled& task : tasks) {
      inputs.push_back(task.inputs);
      targets.push_back(task.targets);
    }
    return {torch::stack(inputs), torch::stack(targets)};
  }

  Ranges ranges_;
  EpisodeShape shape_;
  uint64_t key_;
  Purpose purpose_;
  std::vector<TaskClass> classes_;  // none
};

class Sinusoid final : public TaskGenerator {
 public:
  explicit Sinusoid(const Ranges& ranges) : TaskGenerator(manifest_of(ranges)), ranges_(ranges) {}

  std::shared_ptr<const TaskSource> tasks(const EpisodeShape& shape,
                                          const EpisodeStream& stream) const override {
    return std::make_shared<SinusoidTasks>(ranges_, manifest_.sha256, shape, stream);
  }

 private:
  static Manifest manifest_of(const Ranges& ranges) {
    Manifest manifest;
    manifest.name = "sinusoid";
    manifest.sha256 = sha256_hex(ranges.text());
    manifest.shape = {1};
    manifest.dtype = torch::kFloat;
    manifest.source = "Finn et al. 2017, section 5.1";
    manifest.licence = "Apache-2.0";
    return manifest;
  }

  Ranges ranges_;
};

const DatasetRegistration kSinusoid{DatasetPlugin::with<SinusoidOptions>(
    {.name = "sinusoid",
     .summary = "regressions onto curves A sin(x - phi), drawn task by task; needs no file",
     .source = "Finn et al. 2017, Model-agnostic meta-learning, section 5.1"},
    [](const SinusoidOptions& options) {
      return std::make_shared<const Sinusoid>(
          Ranges{.amplitude = range_of("amplitude", options.amplitude),
                 .phase = range_of("phase", options.phase),
                 .x = range_of("x", options.x)});
    })};

}  // namespace
}  // namespace kshot
