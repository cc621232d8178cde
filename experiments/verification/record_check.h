#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kshot {

/// What a look at one record found. A consistent record may still be untrue: predictions cannot be
/// told from invented ones without the weights.
struct RecordFindings {
  std::filesystem::path folder;
  std::string label = {};                   ///< "protonet (3fa91c0b2d7e, seed 1)", where readable
  std::vector<std::string> problems = {};   ///< what contradicts something else in the record
  std::vector<std::string> unchecked = {};  ///< "what: why": a fact is missing here

  bool consistent() const { return problems.empty(); }
};

/// Checks the parts of a record against each other:
///   - every figure of the test against the episode lines (read_recorded_run);
///   - the folder's name and the id that spec.json and env.json give against run.id;
///   - the test tasks, drawn again from the spec and data.json, against each line;
///   - what result.json repeats of spec.json, env.json and data.json against these;
///   - what training says against metrics.jsonl;
///   - facts of the algorithm and the number of parameters against this program, where it has the
///     sources that made the record.
/// Never throws for a bad record: what is wrong with it is a finding.
RecordFindings check_record(const std::filesystem::path& folder);

}  // namespace kshot
