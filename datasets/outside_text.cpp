#include "datasets/outside_text.h"

#include "framework/base/fields.h"

namespace kshot {

bool is_utf8(std::string_view text) {
  try {
    (void)Json(text).dump();
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

std::string in_quotes(std::string_view text, size_t most) {
  const std::string shown =
      text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
  return Json(shown).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace kshot
