#include "framework/run/episode_shape.h"

namespace kshot {

void EpisodeShape::describe(Fields& fields) {
  fields.option("way", way, {.help = "classes per task", .symbol = "N", .min = 1, .max = 100000});
  fields.option("shot", shot,
                {.help = "support images per class", .symbol = "K", .min = 1, .max = 100000});
  fields.option("query", query,
                {.help = "query images per class", .symbol = "Q", .min = 0, .max = 100000});
}

}  // namespace kshot
