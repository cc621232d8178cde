#include "datasets/class_index.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {
namespace {

template <class Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

const std::string& scheme_name(const Manifest& manifest, const DatasetView& view) {
  if (!view.splits.empty()) return view.splits;
  if (!manifest.default_split.empty()) return manifest.default_split;
  throw Error(
      Exit::bad_spec, "dataset.splits: data set \"{}\" has no default split; it has {}",
      manifest.name,
      manifest.splits.empty() ? "none" : fmt::format("{}", fmt::join(keys(manifest.splits), ", ")));
}

/// The members of one split, in increasing order.
std::vector<int64_t> split_members(const Manifest& manifest, const DatasetView& view,
                                   const std::string& split) {
  const SplitScheme& scheme = find_scheme(manifest, view);
  const auto found = scheme.members.find(split);
  if (found == scheme.members.end()) {
    const std::vector<std::string> known = keys(scheme.members);
    throw Error(Exit::bad_spec, "split scheme \"{}\" of data set \"{}\" has no \"{}\"{}; it has {}",
                scheme_name(manifest, view), manifest.name, split, did_you_mean(split, known),
                fmt::join(known, ", "));
  }
  std::vector<int64_t> members = found->second;
  std::sort(members.begin(), members.end());
  return members;
}

IndexedClass whole_class(const Manifest& manifest, int64_t number) {
  const ClassInfo& info = manifest.classes[static_cast<size_t>(number)];
  IndexedClass indexed{.name = info.name, .source = number, .rows = {}};
  for (int64_t row = info.first; row < info.first + info.count; ++row) indexed.rows.push_back(row);
  return indexed;
}

/// Every class, with the rows that are among `rows`.
std::vector<IndexedClass> classes_with_rows(const Manifest& manifest, std::vector<int64_t> rows) {
  std::sort(rows.begin(), rows.end());
  std::vector<IndexedClass> result;
  auto next = rows.begin();
  for (size_t c = 0; c < manifest.classes.size(); ++c) {
    const ClassInfo& info = manifest.classes[c];
    const auto end = std::lower_bound(next, rows.end(), info.first + info.count);
    result.push_back({.name = info.name, .source = static_cast<int64_t>(c), .rows = {next, end}});
    next = end;
  }
  return result;
}

void append_turned(std::vector<IndexedClass>& classes, const std::vector<IndexedClass>& upright) {
  for (int turns = 1; turns < 4; ++turns) {
    for (IndexedClass indexed : upright) {
      indexed.name += fmt::format("@{}", 90 * turns);
      indexed.quarter_turns = turns;
      classes.push_back(std::move(indexed));
    }
  }
}

/// One value for all channels or one each, shaped to broadcast over [n,C,H,W].
Tensor per_channel(const std::vector<double>& values, const Tensor& samples) {
  std::vector<int64_t> shape(static_cast<size_t>(samples.dim()), 1);
  shape[1] = static_cast<int64_t>(values.size());
  return torch::tensor(values, torch::kFloat).view(shape);
}

void check_channels(const char* key, const std::vector<double>& values,
                    const std::vector<int64_t>& shape) {
  if (values.size() > 1 && static_cast<int64_t>(values.size()) != shape[0]) {
    throw Error(Exit::bad_spec, "dataset.{} has {} values; the samples have {} channel{}", key,
                values.size(), shape[0], shape[0] == 1 ? "" : "s");
  }
}

}  // namespace

void DatasetView::describe(Fields& fields) {
  fields.option(
      "splits", splits,
      {.help = "how classes or images are divided: a scheme of the data set; empty = its default"});
  fields.option(
      "rotations", rotations,
      {.help = "classes turned by 90, 180 and 270 degrees count as further classes: in no "
               "split, in train only, in all",
       .one_of = {"none", "train", "all"}});
  fields.option("invert", invert, {.help = "ink becomes 1 and paper 0: x = 1 - x"});
  fields.option(
      "mean", mean,
      {.help = "subtracted after scaling to [0,1] and inverting; one value, or one a channel"});
  fields.option("std", std,
                {.help = "divides after the mean; one value, or one a channel", .min = 0});
}

const SplitScheme& find_scheme(const Manifest& manifest, const DatasetView& view) {
  const std::string& name = scheme_name(manifest, view);
  const auto found = manifest.splits.find(name);
  if (found == manifest.splits.end()) {
    const std::vector<std::string> known = keys(manifest.splits);
    throw Error(Exit::bad_spec,
                "dataset.splits: data set \"{}\" has no split scheme \"{}\"{}; it has {}",
                manifest.name, name, did_you_mean(name, known),
                known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
  }
  return found->second;
}

void check_view(const Manifest& manifest, const DatasetView& view) {
  check_channels("mean", view.mean, manifest.shape);
  check_channels("std", view.std, manifest.shape);
  for (const double value : view.std) {
    if (!(value > 0)) throw Error(Exit::bad_spec, "dataset.std is {}; it must be above 0", value);
  }
  const std::vector<int64_t>& shape = manifest.shape;
  if (view.invert && (manifest.dtype != torch::kByte || shape.size() != 3)) {
    throw Error(Exit::bad_spec,
                "dataset.invert is true; only 8-bit images can be inverted, and samples of \"{}\" "
                "are {}{}",
                manifest.name, fmt::join(shape, "x"),
                manifest.dtype == torch::kByte ? "" : " floating-point numbers");
  }
  if (view.rotations != "none" && (shape.size() != 3 || shape[1] != shape[2])) {
    throw Error(Exit::bad_spec,
                "dataset.rotations is \"{}\"; only square images can be turned, and samples of "
                "\"{}\" are {}",
                view.rotations, manifest.name, fmt::join(shape, "x"));
  }
}

std::vector<IndexedClass> index_classes(const Manifest& manifest, const DatasetView& view,
                                        const std::vector<std::string>& splits) {
  check_view(manifest, view);
  const bool images = find_scheme(manifest, view).kind == SplitScheme::Kind::images;
  std::vector<int64_t> members, turned_members;
  for (const std::string& split : splits) {
    const std::vector<int64_t> part = split_members(manifest, view, split);
    members.insert(members.end(), part.begin(), part.end());
    if (view.rotations == "all" || (view.rotations == "train" && split == "train")) {
      turned_members.insert(turned_members.end(), part.begin(), part.end());
    }
  }
  const auto classes_of = [&](std::vector<int64_t> numbers) {
    if (images) return classes_with_rows(manifest, std::move(numbers));
    std::sort(numbers.begin(), numbers.end());
    std::vector<IndexedClass> classes;
    for (const int64_t number : numbers) classes.push_back(whole_class(manifest, number));
    return classes;
  };
  std::vector<IndexedClass> result = classes_of(members);
  if (!turned_members.empty()) append_turned(result, classes_of(turned_members));
  return result;
}

Tensor to_input(const Tensor& samples, const DatasetView& view) {
  Tensor input = samples.to(torch::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (samples.scalar_type() == torch::kByte) input.div_(255);
  if (view.invert) input = 1 - input;
  if (!view.mean.empty()) input.sub_(per_channel(view.mean, input));
  if (!view.std.empty()) input.div_(per_channel(view.std, input));
  return input;
}

}  // namespace kshot
