// Vectors, or tensors of any shape, as a data set: a class for each label.
//   TABLE.csv                a sample a line: numbers, and a column of labels
//   SAMPLES.npy [LABELS]     an array [samples, ...]; the labels as whole numbers in a .npy file or
//                            as text, one a line. By default SAMPLES.labels.npy or
//                            SAMPLES.labels.txt beside it.
// Classes are divided as those of a folder of images are (split_rule.h).

#include <charconv>
#include <map>
#include <tuple>

#include "datasets/importer.h"
#include "datasets/outside_text.h"
#include "datasets/split_rule.h"
#include "datasets/vector_table.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// Whole numbers by value, everything else after them by name.
struct LabelOrder {
  static std::tuple<bool, int64_t, std::string_view> key(const std::string& label) {
    int64_t number = 0;
    const char* end = label.data() + label.size();
    const auto [stop, problem] = std::from_chars(label.data(), end, number);
    const bool whole = stop == end && problem == std::errc();
    return {!whole, whole ? number : 0, label};
  }
  bool operator()(const std::string& a, const std::string& b) const { return key(a) < key(b); }
};

fs::path labels_beside(const fs::path& samples) {
  std::vector<fs::path> found;
  for (const char* ending : {".labels.npy", ".labels.txt"}) {
    fs::path labels = samples;
    labels.replace_extension(ending);
    std::error_code ignored;
    if (fs::exists(labels, ignored)) found.push_back(labels);
  }
  if (found.size() == 1) return found[0];
  const std::string stem = samples.stem().string();
  throw Error(Exit::bad_spec,
              "{}: {} of {}.labels.npy and {}.labels.txt lie beside it, expected one, or the "
              "labels as a second source",
              samples.string(), found.empty() ? "neither" : "both", stem, stem);
}

VectorTable read_table(const ImportRequest& request) {
  const std::vector<fs::path>& sources = request.sources;
  const bool csv = sources[0].extension() == ".csv";
  if (!csv && sources[0].extension() != ".npy") {
    throw Error(Exit::bad_spec, "{}: expected a file named .csv or .npy", sources[0].string());
  }
  if (sources.size() > (csv ? 1 : 2)) {
    throw Error(Exit::bad_spec,
                "vectors are imported from 1 .csv file, or a .npy file and its labels; {} sources "
                "given",
                sources.size());
  }
  if (csv) return read_csv_vectors(sources[0], request.label_column);
  if (!request.label_column.empty()) {
    throw Error(Exit::bad_spec, "--label-column is \"{}\"; {} has no columns with names",
                request.label_column, sources[0].string());
  }
  return read_npy_vectors(sources[0], sources.size() == 2 ? sources[1] : labels_beside(sources[0]));
}

/// Makes the classes, and puts the rows of each together in the order of the file.
void group_by_label(const VectorTable& table, ImportedData& data) {
  std::map<std::string, std::vector<int64_t>, LabelOrder> rows;
  for (size_t i = 0; i < table.labels.size(); ++i)
    rows[table.labels[i]].push_back(static_cast<int64_t>(i));
  std::vector<int64_t> order;
  for (const auto& [label, members] : rows) {
    data.manifest.classes.push_back({.name = label,
                                     .group = "",
                                     .first = data.manifest.samples(),
                                     .count = static_cast<int64_t>(members.size())});
    order.insert(order.end(), members.begin(), members.end());
  }
  data.samples = table.samples.index_select(0, torch::tensor(order, torch::kLong));
}

ImportedData import_vectors(const ImportRequest& request) {
  VectorTable table = read_table(request);
  ImportedData data;
  Manifest& manifest = data.manifest;
  const std::string stem = request.sources[0].stem().string();
  manifest.name = is_utf8(stem) ? stem : "vectors";
  manifest.source = request.sources[0].extension() == ".csv" ? "a table of vectors, CSV"
                                                             : "an array of vectors, NPY";
  manifest.shape = table.samples.sizes().slice(1).vec();
  manifest.dtype = table.samples.scalar_type();
  group_by_label(table, data);
  data.notes = std::move(table.notes);
  if (request.splits_file.empty()) {
    add_default_splits(manifest);
  } else if (const auto note = add_split_file(request.splits_file, {}, manifest)) {
    data.notes.push_back(*note);
  }
  return data;
}

const ImporterRegistration kVectors{
    {.facts = {.name = "vectors",
               .summary = "tensors of any shape, each with a label",
               .sources = "a .csv file with a column of labels; or a .npy file, and its labels "
                          "as .npy or text",
               .options = {"splits", "label-column"}},
     .import = import_vectors}};

}  // namespace
}  // namespace kshot
