#include "framework/run/checkpoint.h"

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"

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
  const Json state{{"sha256", sha256_hex(bytes)}, {"state", checkpoint.state}};
  write_file_atomically(tensor_path(folder, name), bytes);
  write_file_atomically(state_path(folder, name), state.dump(1) + "\n");
}

Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name,
                           const ParamList& like) {
  const std::string where = tensor_path(folder, name).string();
  const Json json = Json::parse(read_file(state_path(folder, name)), nullptr, false);
  if (!json.is_object() || !json.contains("sha256") || !json.contains("state")) {
    throw Error(Exit::bad_data, "{}: not a checkpoint's state", state_path(folder, name).string());
  }
  const std::string bytes = read_file(where);
  if (sha256_hex(bytes) != json["sha256"]) {
    throw Error(Exit::bad_data, "{}: its sha256 is not the one in {}; the file was changed or cut", where,
                state_path(folder, name).filename().string());
  }
  const TensorFile file = from_safetensors(bytes, where);
  TensorFile weights;
  Checkpoint checkpoint;
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(kOptimizer)) {
      checkpoint.optimizer.add({tensor.name.substr(std::string(kOptimizer).size()), tensor.value, Role::buffer});
    } else {
      weights.tensors.push_back(tensor);
    }
  }
  checkpoint.weights = from_tensors(like, weights, kWeights, where);
  checkpoint.state = json["state"];
  return checkpoint;
}

bool has_checkpoint(const std::filesystem::path& folder, const std::string& name) {
  return std::filesystem::exists(tensor_path(folder, name)) &&
         std::filesystem::exists(state_path(folder, name));
}

}  // namespace kshot
