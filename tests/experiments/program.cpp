#include "tests/experiments/program.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"

namespace kshot::test {
namespace {

namespace fs = std::filesystem;

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string command_line(const std::vector<std::string>& words) {
  std::string line = "\"$KSHOT\"";
  for (const std::string& word : words) line += " " + quoted(word);
  return line;
}

}  // namespace

bool Outcome::one_line_error() const {
  return err.starts_with("kshot: ") && std::count(err.begin(), err.end(), '\n') == 1 &&
         err.ends_with('\n');
}

Outcome shell(const fs::path& folder, const std::string& code) {
  const TemporaryFolder capture;
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "kshot";
  write_file_atomically(capture / "code", code + "\n");
  const std::string line =
      "cd " + quoted(folder.string()) + " && KSHOT=" + quoted(program.string()) + " sh " +
      quoted((capture / "code").string()) + " >" + quoted((capture / "out").string()) + " 2>" +
      quoted((capture / "err").string());
  const int status = std::system(line.c_str());  // NOLINT(bugprone-command-processor)
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = read_file(capture / "out"),
          .err = read_file(capture / "err")};
}

Outcome kshot(const fs::path& folder, const std::vector<std::string>& words) {
  return shell(folder, command_line(words));
}

Outcome kshot_on_full_disk(const fs::path& folder, int kilobytes,
                           const std::vector<std::string>& words) {
  // ulimit counts blocks of 512 bytes in sh. The ignored signal lets write() fail instead of
  // killing.
  return shell(folder, "trap '' XFSZ; ulimit -f " + std::to_string(2 * kilobytes) + "; " +
                           command_line(words));
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

nlohmann::json tiny_tasks() {
  return {{"dataset",
           {{"name", "synthetic_glyphs"},
            {"train_alphabets", 2},
            {"validation_alphabets", 1},
            {"test_alphabets", 1},
            {"characters", 5},
            {"drawings", 8},
            {"image_size", 16}}},
          {"episodes",
           {{"train", {{"way", 3}, {"shot", 1}, {"query", 2}}},
            {"validation", {{"way", 3}, {"shot", 1}, {"query", 2}, {"count", 5}}},
            {"test", {{"way", 3}, {"shot", 1}, {"query", 3}, {"count", 12}}}}}};
}

std::string write_tiny_spec(const fs::path& folder, const std::string& name,
                            const nlohmann::json& changes) {
  nlohmann::json spec{{"name", name},
                      {"backbone", {{"name", "conv4"}, {"channels", 8}}},
                      {"algorithm", {{"name", "protonet"}}},
                      {"train", {{"iterations", 6}, {"meta_batch", 2}, {"validate_every", 3}}},
                      {"log", {{"every", 1}}}};
  spec.update(tiny_tasks());
  spec["dataset"]["jitter"] = 0.5;
  spec.merge_patch(changes);
  write_file_atomically(folder / (name + ".json"), spec.dump(1));
  return name + ".json";
}

fs::path make_tiny_run(const fs::path& folder, const nlohmann::json& changes) {
  const Outcome outcome =
      kshot(folder, {"run", write_tiny_spec(folder, "tiny", changes), "--device", "cpu"});
  if (outcome.code != 0) throw std::runtime_error("kshot run failed: " + outcome.err);
  return fs::directory_iterator(folder / "results" / "tiny")->path();
}

}  // namespace kshot::test
