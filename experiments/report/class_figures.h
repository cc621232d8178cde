#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/run/episode.h"
#include "framework/run/outcome.h"

namespace kshot {

/// How the queries of one class, or of one group of classes, were answered.
struct ClassScore {
  std::string name;
  int64_t tasks = 0, queries = 0, right = 0;

  double accuracy() const {
    return queries == 0 ? 0 : static_cast<double>(right) / static_cast<double>(queries);
  }
};

/// A name for each entry of the test classes; classes of one name are looked at together.
using ClassNames = std::vector<std::string>;

/// The class that each comes from: a class and its rotations bear the name of the unturned one.
ClassNames source_names(const std::vector<TaskClass>& classes);
/// What stands before the last "/" of each name: an alphabet or superclass. Empty where none has
/// one.
ClassNames group_names(const std::vector<TaskClass>& classes);

/// The lowest accuracy first; of equals the one with more queries, then by name.
std::vector<ClassScore> accuracy_by(const ClassNames& names,
                                    const std::vector<EpisodeOutcome>& episodes);

/// How often queries of one class were taken for another where both were in a task.
struct Confusion {
  int64_t times = 0;
  int64_t chances =
      0;  ///< queries of the one, counted once for each class of the other in its task

  double share() const {
    return chances == 0 ? 0 : static_cast<double>(times) / static_cast<double>(chances);
  }
};

/// Pairs (class, taken for) that met in a task. A class with itself means two of its rotations, or
/// two classes of a group.
using Confusions = std::map<std::pair<std::string, std::string>, Confusion>;

Confusions confusions_by(const ClassNames& names, const std::vector<EpisodeOutcome>& episodes);

/// The pairs with at least one mistake; the most mistakes first, of equals the larger share.
std::vector<std::pair<std::pair<std::string, std::string>, Confusion>> most_confused(
    const Confusions& confusions, size_t most);

}  // namespace kshot
