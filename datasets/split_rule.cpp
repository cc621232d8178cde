#include "datasets/split_rule.h"

#include <algorithm>
#include <cmath>

#include "framework/base/error.h"
#include "framework/base/rng.h"
#include "framework/base/suggest.h"

namespace kshot {
namespace {

constexpr size_t kEnoughClasses = 10;  // 2 for validation, 2 for test

/// Names to numbers: classes, or rows by the path of their image and by every end of it that is
/// unique.
class NameIndex {
 public:
  NameIndex(const Manifest& manifest, const std::vector<std::string>& files,
            SplitScheme::Kind kind) {
    if (kind == SplitScheme::Kind::images) {
      for (size_t row = 0; row < files.size(); ++row)
        add_path(files[row], static_cast<int64_t>(row));
      names_ = files;
    } else {
      for (const ClassInfo& info : manifest.classes) {
        numbers_[info.name] = static_cast<int64_t>(names_.size());
        names_.push_back(info.name);
      }
    }
  }

  int64_t find(const std::string& name, const std::string& where) const {
    const auto found = numbers_.find(name);
    if (found == numbers_.end()) {
      throw Error(Exit::bad_data, "{}: \"{}\" is not in the data set{}", where, name,
                  did_you_mean(name, names_));
    }
    if (found->second < 0)
      throw Error(Exit::bad_data, "{}: several images are called \"{}\"", where, name);
    return found->second;
  }

  size_t size() const { return names_.size(); }

 private:
  void add_path(const std::string& path, int64_t row) {
    for (size_t start = 0; start != std::string::npos;) {
      const auto [entry, is_new] = numbers_.emplace(path.substr(start), row);
      if (!is_new) entry->second = start == 0 ? row : -1;
      const size_t slash = path.find('/', start);
      start = slash == std::string::npos ? slash : slash + 1;
    }
  }

  std::map<std::string, int64_t> numbers_;  // -1: several
  std::vector<std::string> names_;
};

SplitScheme by_names(const SplitRule& rule, const NameIndex& index, const std::string& where) {
  SplitScheme scheme{.kind = rule.kind, .members = {}};
  std::map<int64_t, std::string> seen;
  for (const auto& [split, names] : rule.members) {
    std::vector<int64_t>& members = scheme.members[split];
    for (const std::string& name : names) {
      const int64_t number = index.find(name, where);
      const auto [entry, is_new] = seen.emplace(number, split);
      if (!is_new) {
        throw Error(Exit::bad_data, "{}: \"{}\" stands in {} and again in {}", where, name,
                    entry->second, split);
      }
      members.push_back(number);
    }
    std::sort(members.begin(), members.end());
  }
  return scheme;
}

/// Divides `numbers`, permuted by the stream.
void draw(const SplitRule& rule, const std::vector<int64_t>& numbers, Stream stream,
          SplitScheme& scheme) {
  const auto n = static_cast<int64_t>(numbers.size());
  const std::vector<int64_t> order = stream.permutation(n);
  int64_t next = 0;
  const auto take = [&](const std::string& split, int64_t count) {
    for (; count > 0 && next < n; --count) {
      scheme.members[split].push_back(
          numbers[static_cast<size_t>(order[static_cast<size_t>(next++)])]);
    }
  };
  for (const auto& [split, fraction] : rule.fractions) {
    if (split == "train") continue;
    const auto share = static_cast<int64_t>(std::llround(fraction * static_cast<double>(n)));
    take(split, n >= 3 && fraction > 0 ? std::max<int64_t>(share, 1) : share);
  }
  take("train", n);
}

SplitScheme by_fractions(const SplitRule& rule, const Manifest& manifest) {
  SplitScheme scheme{.kind = rule.kind, .members = {}};
  for (const auto& [split, fraction] : rule.fractions) scheme.members[split];
  const Stream stream(rule.seed, Purpose::splits, rule.kind == SplitScheme::Kind::images ? 1 : 0);
  if (rule.kind == SplitScheme::Kind::classes) {
    std::vector<int64_t> numbers(manifest.classes.size());
    for (size_t c = 0; c < numbers.size(); ++c) numbers[c] = static_cast<int64_t>(c);
    draw(rule, numbers, stream, scheme);
  } else {
    for (size_t c = 0; c < manifest.classes.size(); ++c) {
      std::vector<int64_t> rows(static_cast<size_t>(manifest.classes[c].count));
      for (size_t i = 0; i < rows.size(); ++i)
        rows[i] = manifest.classes[c].first + static_cast<int64_t>(i);
      draw(rule, rows, stream.split(c), scheme);
    }
  }
  for (auto& [split, members] : scheme.members) std::sort(members.begin(), members.end());
  return scheme;
}

}  // namespace

SplitRule default_rule(SplitScheme::Kind kind) {
  return {.kind = kind,
          .name = kind == SplitScheme::Kind::images ? "images" : "random",
          .members = {},
          .fractions = {{"train", 0.64}, {"validation", 0.16}, {"test", 0.2}}};
}

SplitScheme apply_rule(const SplitRule& rule, const Manifest& manifest,
                       const std::vector<std::string>& files, const std::string& where) {
  if (!rule.fractions.empty()) return by_fractions(rule, manifest);
  if (rule.kind == SplitScheme::Kind::images && files.empty()) {
    throw Error(
        Exit::bad_data,
        "{}: names files, and the samples of \"{}\" are none; expected names of classes, or "
        "fractions",
        where, manifest.name);
  }
  return by_names(rule, NameIndex(manifest, files, rule.kind), where);
}

std::optional<std::string> add_split_file(const std::filesystem::path& path,
                                          const std::vector<std::string>& files,
                                          Manifest& manifest) {
  const SplitRule rule = read_split_file(path);
  const SplitScheme scheme = apply_rule(rule, manifest, files, path.string());
  manifest.splits[rule.name] = scheme;
  manifest.default_split = rule.name;
  size_t named = 0;
  for (const auto& [split, members] : scheme.members) named += members.size();
  const bool images = rule.kind == SplitScheme::Kind::images;
  const size_t all = images ? static_cast<size_t>(manifest.samples()) : manifest.classes.size();
  if (named == all) return std::nullopt;
  return fmt::format("{} {} in no split", all - named, images ? "images are" : "classes are");
}

void add_default_splits(Manifest& manifest) {
  const auto add = [&](SplitScheme::Kind kind) {
    const SplitRule rule = default_rule(kind);
    manifest.splits[rule.name] = apply_rule(rule, manifest, {}, "");
    manifest.default_split = rule.name;
  };
  add(SplitScheme::Kind::images);
  if (manifest.classes.size() >= kEnoughClasses) add(SplitScheme::Kind::classes);
}

}  // namespace kshot
