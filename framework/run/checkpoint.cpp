#include "framework/run/checkpoint.h"

#include <optional>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/fault_point.h"
#include "framework/base/sha256.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "weights/";
constexpr const char* kOptimizer = "optimizer/";

struct Files {
  fs::path tensors, state;
};

Files files_of(const fs::path& folder, const std::string& name) {
  return {folder / (name + ".safetensors"), folder / (name + ".json")};
}

std::string previous_name(const std::string& name) { return name + ".previous"; }

bool are_there(const Files& files) { return fs::exists(files.tensors) && fs::exists(files.state); }

std::string state_text(const Json& state, const std::string& tensors_sha256) {
  return Json{{"sha256", tensors_sha256},
              {"state", state},
              {"state_sha256", sha256_hex(state.dump())}}
             .dump(1) +
         "\n";
}

/// What a state's file holds, if that is whole.
std::optional<Json> whole_file(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  Json json = parse_strict(read_file(path)).value;
  const bool whole = json.is_object() && json.contains("state") &&
                     json.value("state_sha256", Json()) == sha256_hex(json["state"].dump());
  if (!whole) return std::nullopt;
  return json;
}

/// The state in a file, if that is a whole one and of the tensors with this hash.
std::optional<Json> state_of(const fs::path& path, const std::string& tensors_sha256) {
  const std::optional<Json> file = whole_file(path);
  if (!file || file->value("sha256", Json()) != tensors_sha256) return std::nullopt;
  return file->at("state");
}

/// Whether a whole checkpoint lies there; what cannot be read is none.
bool is_whole(const Files& files) {
  try {
    return are_there(files) && state_of(files.state, sha256_file(files.tensors)).has_value();
  } catch (const Error&) {
    return false;
  }
}

/// Puts bytes into a file that is not in place yet, and reads them back.
void write_verified(AtomicFile& file, const std::string& bytes, const fs::path& path) {
  file.write(bytes);
  if (read_file(file.temporary_path()) != bytes)
    throw Error(Exit::io, "{}: what was written reads back otherwise", path.string());
}

Checkpoint checkpoint_of(const std::string& bytes, Json state, const ParamList& like,
                         const std::string& where) {
  const TensorFile file = from_safetensors(bytes, where);
  TensorFile weights;
  Checkpoint checkpoint{.weights = {}, .optimizer = {}, .state = std::move(state)};
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(kOptimizer)) {
      checkpoint.optimizer.add(
          {tensor.name.substr(std::string(kOptimizer).size()), tensor.value, Role::buffer});
    } else {
      weights.tensors.push_back(tensor);
    }
  }
  checkpoint.weights = from_tensors(like, weights, kWeights, where);
  return checkpoint;
}

}  // namespace

void save_checkpoint(const fs::path& folder, const std::string& name, const Checkpoint& checkpoint,
                     Previous previous) {
  TensorFile file;
  file.tensors = to_tensors(checkpoint.weights, kWeights);
  for (NamedTensor& tensor : to_tensors(checkpoint.optimizer, kOptimizer)) {
    file.tensors.push_back(std::move(tensor));
  }
  file.metadata["format"] = "kshot.checkpoint/1";
  const std::string bytes = to_safetensors(file);
  const Files files = files_of(folder, name), before = files_of(folder, previous_name(name));
  AtomicFile tensors(files.tensors), state(files.state);
  write_verified(tensors, bytes, files.tensors);
  write_verified(state, state_text(checkpoint.state, sha256_hex(bytes)), files.state);
  // Where a save was interrupted or a file was damaged, what was kept before is what counts.
  if (is_whole(files)) {
    keep_also_as(files.state, before.state);
    keep_also_as(files.tensors, before.tensors);
  }
  // Two files cannot appear at once. In between the new state stands beside the tensors before,
  // whose own state is the one that was just kept.
  state.commit();
  tensors.commit();
  if (previous == Previous::drop) {
    std::error_code ignored;
    fs::remove(before.tensors, ignored);
    fault_point();
    fs::remove(before.state, ignored);
  }
}

Checkpoint load_checkpoint(const fs::path& folder, const std::string& name, const ParamList& like) {
  const Files files = files_of(folder, name), before = files_of(folder, previous_name(name));
  const std::string bytes = read_file(files.tensors);
  if (!fs::exists(files.state)) read_file(files.state);  // says what is wrong
  const std::string sha256 = sha256_hex(bytes);
  std::optional<Json> state = state_of(files.state, sha256);
  if (!state) state = state_of(before.state, sha256);  // a save was interrupted
  if (!state) {
    throw Error(Exit::bad_data, "{}: damaged: it and {} do not fit each other, by their sha256",
                files.tensors.string(), files.state.filename().string());
  }
  return checkpoint_of(bytes, std::move(*state), like, files.tensors.string());
}

Latest load_latest(const fs::path& folder, const std::string& name, const ParamList& like) {
  try {
    return {load_checkpoint(folder, name, like), ""};
  } catch (const Error& problem) {
    const std::string before = previous_name(name);
    if (!are_there(files_of(folder, before))) throw;
    try {
      return {load_checkpoint(folder, before, like),
              fmt::format("{}; going on from the checkpoint before it", problem.what())};
    } catch (const Error&) {
      throw problem;
    }
  }
}

std::optional<Json> checkpoint_state(const fs::path& folder, const std::string& name) {
  try {
    const std::optional<Json> file = whole_file(files_of(folder, name).state);
    if (file) return file->at("state");
  } catch (const Error&) {  // the same as none: who needs the checkpoint itself is told
  }
  return std::nullopt;
}

bool has_checkpoint(const fs::path& folder, const std::string& name) {
  return are_there(files_of(folder, name)) || are_there(files_of(folder, previous_name(name)));
}

}  // namespace kshot
