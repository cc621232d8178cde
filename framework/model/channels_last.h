#pragma once

#include "framework/model/params.h"

namespace kshot {

/// Images [B,C,H,W] with their channels side by side in memory, as our kernels take them; the same
/// tensor where they lie so already.
inline Tensor channels_last(const Tensor& images) {
  return images.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace kshot
