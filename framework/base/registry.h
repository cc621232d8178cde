#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {

/// Plugins of one kind by name, filled before main() by static Registration objects. `Plugin` has a
/// member `facts` with `name`, and the registry its `kind` ("algorithm") for messages.
/// Adding neither throws nor makes a tensor: duplicates are reported by find().
template <class Plugin>
class Registry {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  void add(Plugin plugin) {
    const std::string name = plugin.facts.name;
    if (!plugins_.emplace(name, std::move(plugin)).second) duplicates_.insert(name);
  }

  /// Throws Error(bad_spec) for an unknown or twice registered name.
  const Plugin& find(const std::string& name) const {
    const auto found = plugins_.find(name);
    if (found == plugins_.end()) {
      throw Error(Exit::bad_spec, "unknown {} \"{}\"{}; known: {}", Plugin::kKind, name,
                  did_you_mean(name, names()), fmt::join(names(), ", "));
    }
    if (duplicates_.contains(name)) {
      throw Error(Exit::bad_spec, "{} \"{}\" is registered twice; rename one of them",
                  Plugin::kKind, name);
    }
    return found->second;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, plugin] : plugins_) result.push_back(name);
    return result;
  }

 private:
  std::map<std::string, Plugin> plugins_;
  std::set<std::string> duplicates_;
};

/// `const Registration<AlgorithmPlugin> kRegistration{{...}};` at the end of a plugin's file.
template <class Plugin>
struct Registration {
  explicit Registration(Plugin plugin) { Registry<Plugin>::instance().add(std::move(plugin)); }
};

}  // namespace kshot
