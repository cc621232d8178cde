// The manifest as JSON, both ways. What comes from outside is checked here once, so that the rest
// of the program may index classes and rows without looking.

#include <fmt/ranges.h>

#include <array>
#include <limits>
#include <set>

#include "datasets/dataset.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"

namespace kshot {
namespace {

constexpr const char* kSchema = "kshot.manifest/1";
const std::array<std::pair<const char*, torch::Dtype>, 3> kPackDtypes = {
    {{"uint8", torch::kByte}, {"float32", torch::kFloat}, {"float64", torch::kDouble}}};
const std::array<const char*, 3> kSplits = {"train", "validation", "test"};

const char* dtype_name(torch::Dtype dtype) {
  for (const auto& [name, value] : kPackDtypes) {
    if (value == dtype) return name;
  }
  throw Error(Exit::internal, "a data set of {} cannot be described", c10::toString(dtype));
}

const char* kind_name(SplitScheme::Kind kind) {
  return kind == SplitScheme::Kind::classes ? "classes" : "images";
}

/// Reads one manifest; every complaint begins with where it stands.
class ManifestReader {
 public:
  explicit ManifestReader(const std::string& where) : where_(where) {}

  Manifest read(const Json& json) const {
    const std::string schema = text(json, "schema");
    if (schema != kSchema) fail("schema is \"{}\", expected \"{}\"", schema, kSchema);
    Manifest manifest;
    manifest.name = text(json, "name");
    manifest.sha256 = text(json, "sha256");
    manifest.source = text(json, "source");
    manifest.licence = text(json, "licence");
    manifest.resize = text(json, "resize");
    manifest.default_split = text(json, "default_split");
    manifest.dtype = read_dtype(text(json, "dtype"));
    manifest.shape = read_shape(json);
    manifest.classes = read_classes(member(json, "classes", Json::value_t::array));
    manifest.splits = read_splits(member(json, "splits", Json::value_t::object), manifest);
    if (!manifest.default_split.empty() && !manifest.splits.contains(manifest.default_split)) {
      fail("the default split \"{}\" is not among the splits", manifest.default_split);
    }
    return manifest;
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(Exit::bad_data, "{}: manifest: {}", where_,
                fmt::format(format, std::forward<Args>(args)...));
  }

  const Json& member(const Json& json, const char* key, Json::value_t type) const {
    if (!json.is_object()) fail("expected a block with \"{}\"", key);
    const auto found = json.find(key);
    if (found == json.end()) fail("\"{}\" is missing", key);
    if (found->type() != type) fail("\"{}\" is of type {}", key, found->type_name());
    return *found;
  }

  std::string text(const Json& json, const char* key) const {
    return member(json, key, Json::value_t::string).get<std::string>();
  }

  int64_t integer(const Json& json, const std::string& what, int64_t low, int64_t high) const {
    const bool fits =
        json.is_number_unsigned() && json.get<uint64_t>() <= static_cast<uint64_t>(high);
    const bool whole = fits || (json.is_number_integer() && !json.is_number_unsigned());
    const int64_t value = whole ? json.get<int64_t>() : -1;
    if (!whole || value < low || value > high) {
      fail("{} is {}, expected a whole number from {} to {}", what, json.dump(), low, high);
    }
    return value;
  }

  torch::Dtype read_dtype(const std::string& name) const {
    for (const auto& [known, value] : kPackDtypes) {
      if (name == known) return value;
    }
    fail("dtype is \"{}\", expected uint8, float32 or float64", name);
  }

  std::vector<int64_t> read_shape(const Json& json) const {
    const Json& list = member(json, "shape", Json::value_t::array);
    if (list.empty() || list.size() > 8) fail("shape has {} axes, expected 1 to 8", list.size());
    std::vector<int64_t> shape;
    int64_t values = 1;
    for (const Json& extent : list) {
      shape.push_back(integer(extent, "an extent of shape", 1, int64_t{1} << 31));
      if (values > (int64_t{1} << 40) / shape.back()) fail("shape {} is too large", list.dump());
      values *= shape.back();
    }
    return shape;
  }

  std::vector<ClassInfo> read_classes(const Json& list) const {
    std::vector<ClassInfo> classes;
    std::set<std::string> names;
    int64_t next = 0;
    for (const Json& item : list) {
      ClassInfo info{.name = text(item, "name"), .group = text(item, "group")};
      if (info.name.empty()) fail("class {} has no name", classes.size());
      if (!names.insert(info.name).second) fail("class \"{}\" is there twice", info.name);
      info.first = number(item, "first", info.name);
      info.count = number(item, "count", info.name);
      if (info.first != next || info.count == 0) {
        fail("class \"{}\" has rows [{}, {} + {}), expected a first row of {} and at least one",
             info.name, info.first, info.first, info.count, next);
      }
      next += info.count;
      classes.push_back(std::move(info));
    }
    if (classes.empty()) fail("there is no class");
    return classes;
  }

  int64_t number(const Json& item, const char* key, const std::string& name) const {
    if (!item.contains(key)) fail("class \"{}\" has no \"{}\"", name, key);
    return integer(item[key], fmt::format("\"{}\" of class \"{}\"", key, name), 0,
                   int64_t{1} << 40);
  }

  std::map<std::string, SplitScheme> read_splits(const Json& json, const Manifest& manifest) const {
    std::map<std::string, SplitScheme> splits;
    for (const auto& [name, item] : json.items()) {
      if (name.empty()) fail("a split scheme has no name");
      SplitScheme scheme;
      const std::string kind = text(item, "kind");
      if (kind != "classes" && kind != "images") {
        fail("splits.{}.kind is \"{}\", expected classes or images", name, kind);
      }
      scheme.kind = kind == "images" ? SplitScheme::Kind::images : SplitScheme::Kind::classes;
      const int64_t total = scheme.kind == SplitScheme::Kind::images
                                ? manifest.samples()
                                : static_cast<int64_t>(manifest.classes.size());
      scheme.members = read_members(member(item, "members", Json::value_t::object), name, total);
      splits.emplace(name, std::move(scheme));
    }
    return splits;
  }

  std::map<std::string, std::vector<int64_t>> read_members(const Json& json,
                                                           const std::string& name,
                                                           int64_t total) const {
    std::map<std::string, std::vector<int64_t>> members;
    std::vector<bool> taken(static_cast<size_t>(total));
    for (const auto& [split, list] : json.items()) {
      if (std::find(kSplits.begin(), kSplits.end(), split) == kSplits.end()) {
        fail("splits.{} has \"{}\", expected {}", name, split, fmt::join(kSplits, ", "));
      }
      if (!list.is_array()) fail("splits.{}.{} is not a list", name, split);
      std::vector<int64_t>& numbers = members[split];
      for (const Json& item : list) {
        const int64_t value =
            integer(item, fmt::format("a member of splits.{}.{}", name, split), 0, total - 1);
        if (taken[static_cast<size_t>(value)]) fail("splits.{} names {} twice", name, value);
        taken[static_cast<size_t>(value)] = true;
        numbers.push_back(value);
      }
    }
    return members;
  }

  const std::string& where_;
};

}  // namespace

Json manifest_to_json(const Manifest& manifest) {
  Json classes = Json::array();
  for (const ClassInfo& info : manifest.classes) {
    classes.push_back(
        {{"name", info.name}, {"group", info.group}, {"first", info.first}, {"count", info.count}});
  }
  Json splits = Json::object();
  for (const auto& [name, scheme] : manifest.splits) {
    splits[name] = {{"kind", kind_name(scheme.kind)}, {"members", scheme.members}};
  }
  return {{"schema", kSchema},
          {"name", manifest.name},
          {"sha256", manifest.sha256},
          {"shape", manifest.shape},
          {"dtype", dtype_name(manifest.dtype)},
          {"classes", std::move(classes)},
          {"splits", std::move(splits)},
          {"default_split", manifest.default_split},
          {"source", manifest.source},
          {"licence", manifest.licence},
          {"resize", manifest.resize}};
}

std::string content_sha256(const Manifest& manifest, std::span<const Tensor> samples) {
  const Json all = manifest_to_json(manifest);
  Json deciding = Json::object();
  for (const char* key : {"shape", "dtype", "classes", "splits"}) deciding[key] = all[key];
  Sha256 hash;
  hash.update(deciding.dump());
  for (const Tensor& part : samples) {
    TORCH_CHECK(part.is_contiguous(), "samples must be contiguous");
    hash.update(part.const_data_ptr(), part.nbytes());
  }
  return hash.hex();
}

Manifest manifest_from_json(const Json& json, const std::string& where) {
  return ManifestReader(where).read(json);
}

}  // namespace kshot
