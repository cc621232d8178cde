#include "framework/model/weight_entry.h"

#include <algorithm>
#include <cctype>

#include "framework/base/error.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// A name of a file beside the entry, and no path that leads out of the folder.
bool is_plain_name(const std::string& file) {
  return !file.empty() && std::filesystem::path(file).filename() == file && file != "." &&
         file != "..";
}

void check_entry(const WeightEntry& entry, const std::string& where) {
  const auto wrong = [&](const std::string& what) {
    throw Error(Exit::bad_data, "{}: {}", where, what);
  };
  if (!entry.backbone.is_object() || !entry.backbone.value("name", Json()).is_string())
    wrong("backbone has no \"name\"");
  if (entry.input.mean.size() != entry.input.std.size())
    wrong(fmt::format("input.mean has {} numbers, input.std {}", entry.input.mean.size(),
                      entry.input.std.size()));
  if (entry.is_recipe()) {
    if (entry.recipe.empty()) wrong("neither a sha256 nor a recipe");
    return;
  }
  if (!is_sha256(entry.sha256))
    wrong(fmt::format("sha256 is \"{}\", expected 64 hexadecimal digits", entry.sha256));
  if (!is_plain_name(entry.file))
    wrong(fmt::format("file is \"{}\", expected the name of a file beside it", entry.file));
}

}  // namespace

void WeightData::describe(Fields& fields) {
  fields.option("name", name, {.help = "the data set"});
  fields.option("sha256", sha256, {.help = "of a pack's content, as kshot data info shows it"});
  fields.option("classes", classes, {.help = "names of the classes that were trained on"});
}

void WeightEntry::describe(Fields& fields) {
  fields.option("id", id, {.help = "how specs call it"});
  fields.option("backbone", backbone, {.help = "the backbone block of a spec"});
  fields.option("file", file, {.help = "a safetensors file beside this one"});
  fields.option("sha256", sha256, {.help = "of the file"});
  fields.option("bytes", bytes, {.help = "of the file", .min = 0});
  fields.section("input", input, "what images go through first");
  fields.option("feature_width", feature_width, {.help = "numbers of a feature", .min = 0});
  fields.option("other_tensors", other_tensors,
                {.help = "patterns of tensors in the file that the backbone does not take"});
  fields.option("source", source, {.help = "where the weights come from"});
  fields.option("licence", licence, {.help = "of the weights"});
  fields.option("recipe", recipe, {.help = "how to come by the file"});
  fields.section("data", data, "what they were trained on");
  fields.option("metrics", metrics, {.help = "what was measured"});
  fields.option("provenance", provenance, {.help = "the run that made them"});
}

void check_weight_id(const std::string& id) {
  const bool fine = !id.empty() && id.size() <= 100 && id[0] != '.' &&
                    std::all_of(id.begin(), id.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+';
                    });
  if (!fine) {
    throw Error(Exit::bad_spec,
                "weights id is \"{}\", expected up to 100 letters, digits, \"-\", \"_\", \"+\", "
                "\".\"",
                id);
  }
}

WeightEntry read_weight_entry(const std::string& text, const std::string& where) {
  const StrictJson read = parse_strict(text);
  if (!read.problem.empty()) throw Error(Exit::bad_data, "{}: {}", where, read.problem);
  WeightEntry entry;
  try {
    read_config(entry, read.value);
    check_weight_id(entry.id);
  } catch (const Error& problem) {
    throw Error(Exit::bad_data, "{}: {}", where, problem.what());
  }
  check_entry(entry, where);
  return entry;
}

std::string weight_entry_text(const WeightEntry& entry) {
  return write_config(entry).dump(1) + "\n";
}

}  // namespace kshot
