#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/base/fields.h"
#include "framework/model/input_transform.h"

namespace kshot {

/// What weights were learned from; decides whether a test on other data is one on unseen classes.
struct WeightData {
  std::string name;                  ///< "omniglot", "imagenet-1k"
  std::string sha256;                ///< of the pack's content; empty for data from elsewhere
  std::vector<std::string> classes;  ///< by name; empty where nobody knows

  void describe(Fields& fields);
};

/// A registered file of weights. Stands as ID.json in the registry's folder.
struct WeightEntry {
  std::string id;
  Json backbone = Json::object();  ///< the block of a spec: name and options
  std::string file;                ///< beside the entry; empty for a recipe
  std::string sha256;              ///< of the file; empty for a recipe
  int64_t bytes = 0;
  InputTransform input;
  int64_t feature_width = 0;
  std::vector<std::string> other_tensors;  ///< patterns of tensors that the backbone does not take
  std::string source, licence;
  std::string recipe;  ///< how to come by the file, where it is not shipped
  WeightData data;
  Json metrics = Json::object(), provenance = Json::object();

  void describe(Fields& fields);

  /// Without a file: what it would be is known, its hash is not.
  bool is_recipe() const { return sha256.empty(); }
};

/// Reads and checks an entry. `where` names it in messages. Throws Error(bad_data).
WeightEntry read_weight_entry(const std::string& text, const std::string& where);
std::string weight_entry_text(const WeightEntry& entry);

/// Letters, digits, "-", "_", ".", "+". Throws Error(bad_spec).
void check_weight_id(const std::string& id);

}  // namespace kshot
