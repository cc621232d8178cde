// Reading --splits FILE (split_rule.h): CSV and JSON into one SplitRule.

#include <algorithm>
#include <cmath>

#include "datasets/folder_listing.h"
#include "datasets/outside_text.h"
#include "datasets/split_rule.h"
#include "datasets/text_lines.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

constexpr int kMaxNesting = 8;

std::string split_name(const std::string& text, const std::string& where) {
  if (const auto split = canonical_split(text)) return *split;
  throw Error(Exit::bad_data, "{}: split \"{}\", expected train, validation (or val) or test",
              where, text);
}

size_t column(const std::vector<std::string>& header, const char* name) {
  return static_cast<size_t>(std::find(header.begin(), header.end(), name) - header.begin());
}

SplitRule read_csv(std::string text, const std::string& where) {
  TextLines lines(std::move(text));
  const std::string first = lines.next().value_or("");
  const std::vector<std::string> header = csv_cells(first);
  const size_t split_at = column(header, "split"), file_at = column(header, "filename");
  const size_t name_at = file_at < header.size() ? file_at : column(header, "class");
  if (split_at == header.size() || name_at == header.size()) {
    throw Error(Exit::bad_data,
                "{}: the first line is {}, expected columns class,split or filename,split", where,
                in_quotes(first));
  }
  SplitRule rule;
  rule.kind = name_at == file_at ? SplitScheme::Kind::images : SplitScheme::Kind::classes;
  while (const auto line = lines.next()) {
    const std::vector<std::string> cells = csv_cells(*line);
    if (cells.empty()) continue;
    const std::string here = fmt::format("{}, line {}", where, lines.number());
    if (cells.size() != header.size()) {
      throw Error(Exit::bad_data, "{}: {} cells, expected {}", here, cells.size(), header.size());
    }
    rule.members[split_name(cells[split_at], here)].push_back(cells[name_at]);
  }
  return rule;
}

std::vector<std::string> names_of(const Json& json, const std::string& where) {
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), is_text)) {
    throw Error(Exit::bad_data, "{}: expected a list of names", where);
  }
  return json.get<std::vector<std::string>>();
}

void read_fractions(const Json& json, const std::string& where, SplitRule& rule) {
  double sum = 0;
  if (!json.is_object()) throw Error(Exit::bad_data, "{}: \"fractions\" is not a block", where);
  for (const auto& [split, share] : json.items()) {
    if (!share.is_number() || share.get<double>() < 0) {
      throw Error(Exit::bad_data, "{}: fractions.{} is {}, expected a number from 0 to 1", where,
                  split, share.dump());
    }
    rule.fractions[split_name(split, where)] = share.get<double>();
    sum += share.get<double>();
  }
  if (std::abs(sum - 1) > 1e-6)
    throw Error(Exit::bad_data, "{}: the fractions add up to {}, not 1", where, sum);
}

/// The optional members "kind", "name" and "seed".
void read_header(const Json& json, const std::string& where, SplitRule& rule) {
  const Json kind = json.value("kind", Json("classes"));
  if (kind != "classes" && kind != "images") {
    throw Error(Exit::bad_data, "{}: kind is {}, expected \"classes\" or \"images\"", where,
                kind.dump());
  }
  rule.kind = kind == "images" ? SplitScheme::Kind::images : SplitScheme::Kind::classes;
  const Json name = json.value("name", Json(""));
  const Json seed = json.value("seed", Json(0u));
  if (!name.is_string() || !seed.is_number_unsigned()) {
    throw Error(Exit::bad_data, "{}: \"name\" must be text and \"seed\" a whole number", where);
  }
  rule.name = name.get<std::string>();
  rule.seed = seed.get<uint64_t>();
}

SplitRule read_json(const std::string& text, const std::string& where) {
  const auto [json, problem, line] = parse_strict(text, kMaxNesting, Comments::allowed);
  if (!problem.empty()) throw Error(Exit::bad_data, "{}: {}", where, problem);
  if (!json.is_object()) throw Error(Exit::bad_data, "{}: not a JSON block {{...}}", where);
  SplitRule rule;
  read_header(json, where, rule);
  if (json.contains("fractions")) {
    read_fractions(json["fractions"], where, rule);
    return rule;
  }
  const bool nested = json.contains("splits");
  const Json& splits = nested ? json["splits"] : json;
  if (!splits.is_object()) throw Error(Exit::bad_data, "{}: \"splits\" is not a block", where);
  for (const auto& [split, names] : splits.items()) {
    const bool header =
        !nested && (split == "kind" || split == "name" || split == "source" || split == "seed");
    if (!header) rule.members[split_name(split, where)] = names_of(names, where + ": " + split);
  }
  return rule;
}

}  // namespace

SplitRule read_split_file(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  SplitRule rule =
      path.extension() == ".csv" ? read_csv(text, path.string()) : read_json(text, path.string());
  if (rule.members.empty() && rule.fractions.empty()) {
    throw Error(Exit::bad_data, "{}: names no split", path.string());
  }
  if (rule.name.empty()) rule.name = path.stem().string();
  return rule;
}

}  // namespace kshot
