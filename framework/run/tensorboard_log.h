#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "framework/base/fields.h"

namespace kshot {

/// metrics.jsonl as curves in TensorBoard: every number of a line, at the line's iteration, under
/// its path in the line, as in "train/loss"; in the phase "retrain" under "retrain/train/loss".
///
/// The lines alone decide what the event files show. So a log that is opened anew, by a resume,
/// writes a file of all lines so far and empties those before it: what a kill tore or wrote beyond
/// the last checkpoint is gone. It does not remove them, since a TensorBoard that is looking on
/// would fail on the file that it reads from.
class TensorboardLog {
 public:
  /// Begins a file in `folder`, made if need be, with the lines that `metrics` holds.
  /// Throws Error(io), Error(bad_data) for a line that is none of metrics.jsonl's.
  TensorboardLog(const std::filesystem::path& folder, const std::filesystem::path& metrics);

  /// Throws Error(io).
  void append(const Json& line);

 private:
  std::string record_of(const Json& line) const;
  void write(const std::string& bytes);

  std::filesystem::path path_;
  std::ofstream file_;
  double start_;  ///< seconds since 1970, had the training so far run without a break
};

}  // namespace kshot
