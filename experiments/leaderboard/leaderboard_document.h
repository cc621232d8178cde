#pragma once

#include <vector>

#include "experiments/leaderboard/leaderboard.h"
#include "experiments/leaderboard/leaderboard_grid.h"
#include "experiments/table/table_document.h"

namespace kshot {

/// The tables as people read them: one section each.
TableDocument leaderboard_document(const std::vector<LeaderboardTable>& tables,
                                   const Records& records);

/// The grid as people read it: a single section.
TableDocument grid_document(const LeaderboardGrid& grid, const Records& records);

}  // namespace kshot
