#include "experiments/report/class_figures.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace kshot {
namespace {

const std::string& name_of(const ClassNames& names, const TaskPlan& plan, int64_t label) {
  return names.at(static_cast<size_t>(plan.classes.at(static_cast<size_t>(label))));
}

}  // namespace

ClassNames source_names(const std::vector<TaskClass>& classes) {
  std::map<int64_t, std::string> unturned;
  for (const TaskClass& c : classes) unturned.try_emplace(c.source, c.name);
  ClassNames names;
  names.reserve(classes.size());
  for (const TaskClass& c : classes) names.push_back(unturned[c.source]);
  return names;
}

ClassNames group_names(const std::vector<TaskClass>& classes) {
  ClassNames names;
  for (const std::string& name : source_names(classes)) {
    const size_t slash = name.rfind('/');
    names.push_back(slash == std::string::npos ? "" : name.substr(0, slash));
  }
  const bool any = std::any_of(names.begin(), names.end(),
                               [](const std::string& name) { return !name.empty(); });
  return any ? names : ClassNames{};
}

std::vector<ClassScore> accuracy_by(const ClassNames& names,
                                    const std::vector<EpisodeOutcome>& episodes) {
  std::map<std::string, ClassScore> scores;
  for (const EpisodeOutcome& episode : episodes) {
    const TaskPlan& plan = episode.plan;
    std::set<std::string> met;
    for (size_t q = 0; q < plan.query_labels.size(); ++q) {
      const std::string& name = name_of(names, plan, plan.query_labels[q]);
      ClassScore& score = scores[name];
      score.name = name;
      ++score.queries;
      score.right += episode.predictions.at(q) == plan.query_labels[q];
      met.insert(name);
    }
    for (const std::string& name : met) ++scores[name].tasks;
  }
  std::vector<ClassScore> sorted;
  for (const auto& [name, score] : scores) sorted.push_back(score);
  std::stable_sort(sorted.begin(), sorted.end(), [](const ClassScore& a, const ClassScore& b) {
    return std::make_tuple(a.accuracy(), -a.queries) < std::make_tuple(b.accuracy(), -b.queries);
  });
  return sorted;
}

Confusions confusions_by(const ClassNames& names, const std::vector<EpisodeOutcome>& episodes) {
  Confusions confusions;
  for (const EpisodeOutcome& episode : episodes) {
    const TaskPlan& plan = episode.plan;
    for (size_t q = 0; q < plan.query_labels.size(); ++q) {
      const int64_t truth = plan.query_labels[q], answer = episode.predictions.at(q);
      for (int64_t label = 0; label < plan.outputs; ++label) {
        if (label == truth) continue;
        Confusion& pair = confusions[{name_of(names, plan, truth), name_of(names, plan, label)}];
        ++pair.chances;
        pair.times += answer == label;
      }
    }
  }
  return confusions;
}

std::vector<std::pair<std::pair<std::string, std::string>, Confusion>> most_confused(
    const Confusions& confusions, size_t most) {
  std::vector<std::pair<std::pair<std::string, std::string>, Confusion>> pairs;
  for (const auto& pair : confusions) {
    if (pair.second.times > 0) pairs.emplace_back(pair);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return std::make_tuple(a.second.times, a.second.share()) >
           std::make_tuple(b.second.times, b.second.share());
  });
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

}  // namespace kshot
