#pragma once

#include <string_view>

namespace kshot {

/// A file that is compiled into the program (cmake/EmbedFiles.cmake).
struct EmbeddedFile {
  std::string_view path;  // relative to the embedded folder: "demo.json"
  std::string_view text;
};

}  // namespace kshot
