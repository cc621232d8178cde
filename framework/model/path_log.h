#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace kshot {

/// Which kernels computed each layer of a network, for those who ask whether it takes the fast
/// path. May be written to from any thread.
class PathLog {
 public:
  struct Layer {
    std::string name;
    std::vector<std::string> paths;  ///< different ones, in order of appearance
  };

  void note(const std::string& layer, const std::string& path);
  /// In the order in which the network passes through them.
  std::vector<Layer> layers() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Layer> layers_;
};

}  // namespace kshot
