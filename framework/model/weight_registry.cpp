#include "framework/model/weight_registry.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/model/shipped_weights.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

fs::path WeightRegistry::default_folder() {
  if (const std::string own = variable("KSHOT_WEIGHTS"); !own.empty()) return own;
  const std::string data = variable("XDG_DATA_HOME");
  const fs::path shared =
      data.empty() ? fs::path(variable("HOME")) / ".local/share" : fs::path(data);
  return shared / "kshot" / "weights";
}

WeightRegistry::WeightRegistry(fs::path folder) : folder_(std::move(folder)) {
  std::map<std::string, WeightEntry> by_id;
  for (const EmbeddedFile& file : shipped_weights()) {
    WeightEntry entry = read_weight_entry(std::string(file.text), std::string(file.path));
    by_id[entry.id] = std::move(entry);
  }
  std::error_code none;
  std::vector<fs::path> own;
  for (const auto& item : fs::directory_iterator(folder_, none)) {
    if (item.path().extension() == ".json") own.push_back(item.path());
  }
  std::sort(own.begin(), own.end());
  for (const fs::path& path : own) {
    try {
      WeightEntry entry = read_weight_entry(read_file(path), path.string());
      if (entry.id + ".json" != path.filename())
        throw Error(Exit::bad_data, "{}: its id is \"{}\"", path.string(), entry.id);
      by_id[entry.id] = std::move(entry);
    } catch (const Error& problem) {
      problems_.emplace_back(problem.what());
    }
  }
  for (auto& [id, entry] : by_id) entries_.push_back(std::move(entry));
}

const WeightEntry* WeightRegistry::find(const std::string& id) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const WeightEntry& entry) { return entry.id == id; });
  return found == entries_.end() ? nullptr : &*found;
}

WeightEntry WeightRegistry::add(WeightEntry entry, const std::string& bytes) {
  check_weight_id(entry.id);
  if (const WeightEntry* known = find(entry.id); known != nullptr && !known->is_recipe()) {
    throw Error(Exit::bad_spec, "weights \"{}\" are registered already: {}", entry.id,
                file_of(*known).string());
  }
  entry.file = entry.id + ".safetensors";
  entry.sha256 = sha256_hex(bytes);
  entry.bytes = static_cast<int64_t>(bytes.size());
  make_folder(folder_);
  write_file_atomically(file_of(entry), bytes);
  write_file_atomically(folder_ / (entry.id + ".json"), weight_entry_text(entry));
  return entry;
}

}  // namespace kshot
