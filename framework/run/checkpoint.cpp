#include "framework/run/checkpoint.h"

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

constexpr const char* kWeights = "weights/";
constexpr const char* kOptimizer = "optimizer/";

std::filesystem::path tensor_path(const std::filesystem::path& folder, const std::string& name) {
  return folder / (name + ".safetensors");
}

std::filesystem::path state_path(const std::filesystem::path& folder, const std::string& name) {
  return folder / (name + ".json");
}

Json read_state(const std::filesystem::path& folder, const std::string& name) {
  return parse_strict(read_file(state_path(folder, name))).value;
}

bool is_entry(const Json& json) {
  return json.is_object() && json.contains("sha256") && json.contains("state");
}

/// The newest entry or the one before, whichever the tensors with that hash belong to; else
/// nullptr.
const Json* entry_of(const Json& json, const std::string& sha256) {
  const auto previous = json.find("previous");
  for (const Json* entry : {&json, previous == json.end() ? nullptr : &*previous}) {
    if (entry != nullptr && is_entry(*entry) && entry->at("sha256") == sha256) return entry;
  }
  return nullptr;
}

/// The entry of the tensors that lie there, or null.
Json entry_on_disk(const std::filesystem::path& folder, const std::string& name) {
  if (!has_checkpoint(folder, name)) return nullptr;
  const Json json = read_state(folder, name);
  const Json* entry = entry_of(json, sha256_hex(read_file(tensor_path(folder, name))));
  if (entry == nullptr) return nullptr;
  return {{"sha256", entry->at("sha256")}, {"state", entry->at("state")}};
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, const std::string& name,
                     const Checkpoint& checkpoint) {
  TensorFile file;
  file.tensors = to_tensors(checkpoint.weights, kWeights);
  for (NamedTensor& tensor : to_tensors(checkpoint.optimizer, kOptimizer)) {
    file.tensors.push_back(std::move(tensor));
  }
  file.metadata["format"] = "kshot.checkpoint/1";
  const std::string bytes = to_safetensors(file);
  // Two files cannot appear at once. The state goes first and carries the one before: if a kill or
  // a full disk comes in between, that is the state of the tensors that lie there.
  const Json entry{{"sha256", sha256_hex(bytes)},
                   {"state", checkpoint.state},
                   {"previous", entry_on_disk(folder, name)}};
  write_file_atomically(state_path(folder, name), entry.dump(1) + "\n");
  write_file_atomically(tensor_path(folder, name), bytes);
}

Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name,
                           const ParamList& like) {
  const std::string where = tensor_path(folder, name).string();
  const Json json = read_state(folder, name);
  if (!is_entry(json))
    throw Error(Exit::bad_data, "{}: not a checkpoint's state", state_path(folder, name).string());
  const std::string bytes = read_file(where);
  const Json* entry = entry_of(json, sha256_hex(bytes));
  if (entry == nullptr) {
    throw Error(Exit::bad_data, "{}: its sha256 is not the one in {}; the file was changed or cut",
                where, state_path(folder, name).filename().string());
  }
  const TensorFile file = from_safetensors(bytes, where);
  TensorFile weights;
  Checkpoint checkpoint;
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(kOptimizer)) {
      checkpoint.optimizer.add(
          {tensor.name.substr(std::string(kOptimizer).size()), tensor.value, Role::buffer});
    } else {
      weights.tensors.push_back(tensor);
    }
  }
  checkpoint.weights = from_tensors(like, weights, kWeights, where);
  checkpoint.state = entry->at("state");
  return checkpoint;
}

bool has_checkpoint(const std::filesystem::path& folder, const std::string& name) {
  return std::filesystem::exists(tensor_path(folder, name)) &&
         std::filesystem::exists(state_path(folder, name));
}

}  // namespace kshot
