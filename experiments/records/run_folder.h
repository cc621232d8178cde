#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "experiments/experiment.h"

namespace kshot {

/// `<results>/<name>/<run-id>/`: one run on disk. result.json is written last and marks it done.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  bool finished() const { return std::filesystem::exists(file("result.json")); }
  bool started() const { return std::filesystem::exists(file("spec.json")); }

  /// One of its JSON files. Throws Error(io, bad_data).
  Json read(const std::string& name) const;
  /// The same, with every field that readers use of the type that it should have.
  Json spec() const;
  Json result() const;
  Json env() const;  ///< an empty object where there is no env.json

  /// Writes spec.json and env.json. Throws Error(io).
  void begin(const Experiment& experiment, int threads) const;
  void write(const std::string& name, const Json& json) const;

 private:
  std::filesystem::path path_;
};

/// `path`, or what lies under `results` by that name where `path` itself is not there.
std::filesystem::path existing_or_under(const std::filesystem::path& results,
                                        const std::filesystem::path& path);

/// A run by its folder, or by the folder of its name where that holds a single run.
/// Throws Error(bad_spec) where there is none or more than one.
RunFolder find_run(const std::string& path);

/// The block "algorithm" of a record.
Json algorithm_record(const AlgorithmFacts& facts, const Algorithm& algorithm);

/// The record of a finished evaluation, without what only training knows.
Json record_of(const Experiment& experiment, const Evaluation& evaluation,
               const ParamList& weights);

/// Class names, sources and the split of the test tasks: with it the plans can be drawn again
/// without pixels.
Json manifest_record(const Experiment& experiment);

}  // namespace kshot
