#pragma once

#include <fmt/ranges.h>  // fmt::join; brings fmt/format.h

#include <stdexcept>
#include <string>
#include <utility>

namespace kshot {

/// What the process reports to the shell; the numbers are part of the contract with scripts.
enum class Exit {
  done = 0,
  bad_spec = 2,   ///< a spec, option or plugin name that cannot be used
  bad_data = 65,  ///< a pack, image, archive or weight file that cannot be trusted
  internal = 70,  ///< a defect of ours
  io = 74,        ///< the disk said no
  stopped = 75,   ///< a signal; run again with --resume
  diverged = 76,  ///< NaN or infinite loss
};

/// The one exception type: something the user can mend. The message is one line that names the key
/// or file, the value found and what was expected.
class Error : public std::runtime_error {
 public:
  template <class... Args>
  explicit Error(Exit code, fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)), code_(code) {}

  Exit code() const { return code_; }

 private:
  Exit code_;
};

}  // namespace kshot
