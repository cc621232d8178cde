#include "framework/base/fault_point.h"

namespace kshot {

__attribute__((weak)) void fault_point() {}

}  // namespace kshot
