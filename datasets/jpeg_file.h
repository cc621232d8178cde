#pragma once
// JPEG alone, behind image_codec.h.

#include <string>
#include <string_view>

#include "framework/model/params.h"

namespace kshot {

Tensor decode_jpeg(std::string_view bytes, const std::string& name);

}  // namespace kshot
