#pragma once
// PNG alone, behind image_codec.h.

#include <string>
#include <string_view>

#include "framework/model/params.h"

namespace kshot {

Tensor decode_png(std::string_view bytes, const std::string& name);

}  // namespace kshot
