#include "datasets/safe_path.h"

#include <algorithm>
#include <cctype>

namespace kshot {

bool stays_inside(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  const bool drive =
      path.size() > 1 && path[1] == ':' && std::isalpha(static_cast<unsigned char>(path[0]));
  if (drive) return false;
  const auto harmful = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; };
  if (std::any_of(path.begin(), path.end(), harmful)) return false;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "..") return false;
    path.remove_prefix(std::min(part.size() + 1, path.size()));
  }
  return true;
}

}  // namespace kshot
