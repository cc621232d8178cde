#include "framework/model/map_features.h"

#include <algorithm>
#include <cmath>

#include "framework/base/error.h"

namespace kshot {

Option map_features_option() {
  return {.help = "what comes out: the last map's spatial mean, the map flattened, or the map",
          .one_of = {"mean", "flatten", "map"}};
}

Tensor map_features(const Tensor& map, const std::string& how) {
  if (how == "map") return map;
  return how == "flatten" ? map.flatten(2) : map.mean({3, 4});
}

std::vector<int64_t> map_features_shape(int64_t channels, int64_t height, int64_t width,
                                        const std::string& how) {
  if (how == "map") return {channels, height, width};
  return {how == "flatten" ? channels * height * width : channels};
}

void require_images(const std::string& backbone, std::span<const int64_t> input, int64_t smallest) {
  if (input.size() != 3) {
    throw Error(Exit::bad_spec, "backbone {} takes images [C,H,W]; the samples have shape [{}]",
                backbone, fmt::join(input, ","));
  }
  if (std::min(input[1], input[2]) < smallest) {
    throw Error(Exit::bad_spec,
                "images of {}x{} are too small for backbone {}: expected {}x{} at least", input[1],
                input[2], backbone, smallest, smallest);
  }
}

int64_t scaled_channels(int64_t base, double width) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(base) * width));
}

}  // namespace kshot
