#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "framework/base/fields.h"
#include "framework/base/registry.h"

namespace kshot {

/// One plugin: its facts and, read from one JSON block of the spec, the thing it makes.
/// `Facts` has `name` and `static constexpr const char* kKind`; `Needs` are what making takes
/// beside the options (an algorithm needs a backbone).
template <class Product, class Facts, class... Needs>
struct Plugin {
  static constexpr const char* kKind = Facts::kKind;

  Facts facts;
  /// The block with its defaults filled in. `path` is where the block stands in the spec.
  /// Throws Error(bad_spec) for keys and values that do not fit.
  std::function<Json(const Json& block, const std::string& path)> resolve;
  std::function<std::vector<OptionRow>()> options;
  std::function<Product(const Json& block, Needs... needs)> make;

  /// A plugin whose options are a struct with describe(Fields&), made by `make(options, needs...)`.
  template <class Options, class Make>
  static Plugin with(Facts facts, Make make);
};

/// A block of a spec: the plugin's name beside its options.
template <class Options>
struct Block {
  std::string name;
  Options options;

  void describe(Fields& fields) {
    fields.option("name", name, {.help = "which plugin"});
    options.describe(fields);
  }
};

template <class Product, class Facts, class... Needs>
template <class Options, class Make>
Plugin<Product, Facts, Needs...> Plugin<Product, Facts, Needs...>::with(Facts facts, Make make) {
  return {.facts = std::move(facts),
          .resolve =
              [](const Json& block, const std::string& path) {
                Block<Options> read;
                read_config(read, block, path);
                return write_config(read);
              },
          .options = [] { return list_options<Options>(); },
          .make = [make](const Json& block, const Needs&... needs) -> Product {
            Block<Options> read;
            read_config(read, block, Facts::kBlock);
            return make(read.options, needs...);
          }};
}

}  // namespace kshot
