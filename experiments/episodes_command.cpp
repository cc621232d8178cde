// kshot episodes: the tasks that a spec draws, for people and for other programs.
#include "experiments/commands.h"
#include "experiments/episode_file.h"
#include "experiments/experiment.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

int64_t count_of(const Arguments& arguments, const ExperimentSpec& spec, const std::string& split) {
  if (arguments.count("count") == 0) {
    if (split == "train") return 10;
    return split == "test" ? spec.episodes.test.count : spec.episodes.validation.count;
  }
  const auto count = arguments["count"].as<int64_t>();
  if (count < 1 || count > 10'000'000)
    throw Error(Exit::bad_spec, "--count is {}, expected 1 to 10000000", count);
  return count;
}

/// What the images are of, for whoever finds the file without its spec.
Json info_of(const ExperimentSpec& spec, const std::string& split, int64_t count) {
  const Json resolved = spec_to_json(spec);
  const Json& tasks = resolved.at("episodes").at(split);
  return {{"schema", "kshot.episodes/1"},
          {"split", split},
          {"count", count},
          {"tasks", tasks},
          {"dataset", tasks.value("dataset", resolved.at("dataset"))}};
}

int run_episodes(const Arguments& arguments) {
  const Json json =
      load_spec(required(arguments, "spec", episodes_command().usage), edits_of(arguments));
  const ExperimentSpec spec = read_spec(json, "cpu");
  const auto split = arguments["split"].as<std::string>();
  DatasetCache datasets;
  const auto source = held_out_source(spec, split, datasets);
  const int64_t count = count_of(arguments, spec, split);
  if (arguments.count("out") > 0) {
    const auto path = arguments["out"].as<std::string>();
    write_episode_file(path, *source, count, info_of(spec, split, count));
    fmt::print("{}: {} tasks of split \"{}\", episodes_sha256 {}\n", path, count, split,
               plans_sha256(*source, count));
    return 0;
  }
  for (int64_t i = 0; i < count; ++i) {
    fmt::print("{}\n",
               plan_to_json(source->plan(static_cast<uint64_t>(i)), source->classes()).dump());
  }
  return 0;
}

}  // namespace

Command episodes_command() {
  Command command;
  command.name = "episodes";
  command.summary = "the tasks a spec draws, as JSON lines or as images in an HDF5 file";
  command.usage = "episodes SPEC [--split test] [--count N] [--out EPISODES.h5]";
  command.details =
      "Without --out: a JSON line per task with class names, sample ids (rows of the data set) and "
      "labels.\n"
      "With --out: an HDF5 file with support_inputs [T,S,C,H,W] float32, support_targets [T,S] "
      "int64,\n"
      "query_inputs and query_targets, exactly as the algorithm gets them, and as UTF-8 bytes "
      "`plans` (the\n"
      "JSON lines), `episodes_sha256` (as in a record) and `info`.\n\n"
      "  kshot episodes demo --split test --count 100 --out episodes.h5";
  command.positional = {"spec"};
  command.options.add_options()(
      "split", po::value<std::string>()->default_value("test")->value_name("SPLIT"),
      "train, validation or test")(
      "count", po::value<int64_t>()->value_name("N"),
      "how many tasks; by default as many as the spec says, 10 for train")(
      "out", po::value<std::string>()->value_name("FILE"),
      "write images and labels to this HDF5 file");
  add_spec_option(command.options);
  command.run = run_episodes;
  return command;
}

}  // namespace kshot
