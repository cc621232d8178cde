#include "framework/model/path_log.h"

#include <algorithm>

namespace kshot {

void PathLog::note(const std::string& layer, const std::string& path) {
  const std::scoped_lock lock(mutex_);
  auto entry = std::find_if(layers_.begin(), layers_.end(),
                            [&](const Layer& known) { return known.name == layer; });
  if (entry == layers_.end()) entry = layers_.insert(entry, {layer, {}});
  if (std::find(entry->paths.begin(), entry->paths.end(), path) == entry->paths.end())
    entry->paths.push_back(path);
}

std::vector<PathLog::Layer> PathLog::layers() const {
  const std::scoped_lock lock(mutex_);
  return layers_;
}

}  // namespace kshot
