#include "datasets/task_generator.h"

#include "framework/base/error.h"

namespace kshot {

Tensor TaskGenerator::load(std::span<const int64_t>) const {
  throw Error(Exit::bad_spec, "data set \"{}\" has no samples: it draws whole tasks",
              manifest_.name);
}

}  // namespace kshot
