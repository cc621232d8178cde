#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/leaderboard/leaderboard.h"

namespace kshot {

/// A column: one table's task definition. Its title holds what no other column's does:
/// "omniglot 5-way 1-shot", with queries, episodes and hash where these set columns apart.
struct GridColumn {
  std::string title;
  const LeaderboardTable* table = nullptr;
};

/// A method over the columns.
struct GridRow {
  std::string method;
  std::vector<std::optional<size_t>> places = {};  ///< its row in each column's table
  std::vector<std::string> differing = {};  ///< traits that are not the same in all its columns
  std::vector<std::string> flags = {};      ///< of any of its columns
};

/// The wide table of papers: methods as rows, tasks as columns.
struct LeaderboardGrid {
  std::vector<GridColumn> columns;
  std::vector<GridRow> rows;
};

/// Rows of different tables are one method where all but the tasks is the same; else where all but
/// tasks, sources, LibTorch and device is; else where they have the same name, and neither table
/// has another row of that name without a match. The tables must outlive the grid.
LeaderboardGrid make_grid(const std::vector<LeaderboardTable>& tables);

/// {"columns": [...], "rows": [{"method", "cells": [{"column", figures, "rank", ...}]}]}.
Json grid_json(const LeaderboardGrid& grid);

}  // namespace kshot
