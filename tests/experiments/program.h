#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kshot::test {

/// What the built program did.
struct Outcome {
  int code = 0;
  std::string out, err;

  /// Its output as one JSON document; discarded (is_discarded()) where it is not.
  nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
  /// Standard error is one line, as an error is reported.
  bool one_line_error() const;
};

/// Runs the kshot program that lies beside this test program, in `folder`, as a user would.
Outcome kshot(const std::filesystem::path& folder, const std::vector<std::string>& words);

/// The same within shell code, where "$KSHOT" is the program: `shell(folder, "$KSHOT list specs |
/// head")`.
Outcome shell(const std::filesystem::path& folder, const std::string& code);

/// While files can only grow to `kilobytes`: as on a full disk.
Outcome kshot_on_full_disk(const std::filesystem::path& folder, int kilobytes,
                           const std::vector<std::string>& words);

/// Every file below a folder, as relative paths, sorted.
std::vector<std::string> files_below(const std::filesystem::path& folder);

/// The blocks `dataset` and `episodes` of a spec: few and small glyphs, 5 test classes of 8
/// drawings.
nlohmann::json tiny_tasks();

/// A spec that trains ProtoNet on few and small glyphs within a second. Written to
/// folder/name.json; returns that file's name. `changes` are merged in.
std::string write_tiny_spec(const std::filesystem::path& folder, const std::string& name,
                            const nlohmann::json& changes = nlohmann::json::object());

/// Runs the tiny spec in `folder`; returns the run's folder. Throws std::runtime_error if that
/// fails.
std::filesystem::path make_tiny_run(const std::filesystem::path& folder,
                                    const nlohmann::json& changes = nlohmann::json::object());

}  // namespace kshot::test
