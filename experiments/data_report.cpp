#include "experiments/data_report.h"

#include <set>

#include "experiments/command_line.h"

namespace kshot {
namespace {

using Rows = std::vector<std::vector<std::string>>;

size_t count_groups(const Manifest& manifest) {
  std::set<std::string> groups;
  for (const ClassInfo& info : manifest.classes) {
    if (!info.group.empty()) groups.insert(info.group);
  }
  return groups.size();
}

/// "20 each" or "18 to 20 each".
std::string images_per_class(const Manifest& manifest) {
  const auto by_count = [](const ClassInfo& a, const ClassInfo& b) { return a.count < b.count; };
  const auto [fewest, most] =
      std::minmax_element(manifest.classes.begin(), manifest.classes.end(), by_count);
  if (fewest->count == most->count) return fmt::format("{} each", most->count);
  return fmt::format("{} to {} each", fewest->count, most->count);
}

std::string size_text(uint64_t bytes) {
  return bytes < (1 << 20) ? fmt::format("{:.1f} KiB", static_cast<double>(bytes) / (1 << 10))
                           : fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string splits_table(const Manifest& manifest) {
  Rows rows{{"SPLITS", "OF", "TRAIN", "VALIDATION", "TEST"}};
  for (const auto& [name, scheme] : manifest.splits) {
    std::vector<std::string> row{name == manifest.default_split ? name + " (default)" : name,
                                 scheme.kind == SplitScheme::Kind::images ? "images" : "classes"};
    for (const char* split : {"train", "validation", "test"}) {
      const auto members = scheme.members.find(split);
      row.push_back(std::to_string(members == scheme.members.end() ? 0 : members->second.size()));
    }
    rows.push_back(row);
  }
  return manifest.splits.empty() ? "no splits\n" : text_table(rows);
}

}  // namespace

std::string pack_report(const std::filesystem::path& path, const PackInfo& info) {
  const Manifest& manifest = info.manifest;
  std::string classes = fmt::format("{}", manifest.classes.size());
  if (const size_t groups = count_groups(manifest); groups > 0)
    classes += fmt::format(" in {} groups", groups);
  std::string text;
  const auto line = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<9}{}\n", what, value);
  };
  line("pack",
       fmt::format("{} ({}, format {})", path.string(), size_text(info.bytes), info.version));
  line("name", manifest.name);
  line("sha256", manifest.sha256);
  line("classes", classes);
  line("samples", fmt::format("{}, {}", manifest.samples(), images_per_class(manifest)));
  const std::string dtype = manifest_to_json(manifest).at("dtype");
  line("shape", fmt::format("[{}] {}", fmt::join(manifest.shape, ","),
                            info.originals ? "made on load from the originals kept" : dtype));
  line("resize", manifest.resize);
  line("source", manifest.source);
  line("licence", manifest.licence);
  return text + "\n" + splits_table(manifest);
}

Json pack_json(const std::filesystem::path& path, const PackInfo& info) {
  return {{"path", path.string()},
          {"bytes", info.bytes},
          {"format_version", info.version},
          {"originals", info.originals},
          {"samples", info.manifest.samples()},
          {"manifest", manifest_to_json(info.manifest)}};
}

}  // namespace kshot
