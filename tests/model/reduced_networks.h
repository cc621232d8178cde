#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/model/backbone.h"

namespace kshot::test {

/// A registered architecture in a form small enough for tests that compute it thousands of times.
struct ReducedNetwork {
  Json options = Json::object();  ///< beside the name
  std::vector<int64_t> image{1, 12, 12};
  /// Whether tests try the choices of its options as well; not of one that shares its class with
  /// another of which they do.
  bool choices = false;
};

/// How each built-in architecture is reduced.
inline const std::map<std::string, ReducedNetwork>& reduced_networks() {
  const Json narrow_vgg{{"width", 0.0625}, {"grid", 2}, {"hidden", 8}};
  const Json tiny_vit{{"patch", 4}, {"width", 12}, {"depth", 2}, {"heads", 3}, {"mlp_ratio", 2}};
  static const std::map<std::string, ReducedNetwork> networks{
      {"conv4", {{{"blocks", 2}, {"channels", 4}}, {1, 12, 12}, true}},
      {"mlp", {{}, {1, 12, 12}, true}},
      {"resnet10", {{{"blocks", {1, 1}}, {"width", 4}}, {1, 12, 12}, true}},
      {"resnet12", {{{"channels", {4, 6, 8}}}, {1, 12, 12}, true}},
      {"resnet18", {{{"blocks", {2, 1}}, {"width", 4}}}},
      {"resnet34", {{{"blocks", {1, 2}}, {"width", 16}, {"stem", "small"}}}},
      {"resnet50", {{{"blocks", {1, 1}}, {"width", 4}}, {1, 12, 12}, true}},
      {"resnet101", {{{"blocks", {1, 2}}, {"width", 4}, {"stem", "small"}}}},
      {"wide_resnet28_10", {{{"blocks", 1}, {"widen", 2}, {"base", 4}}, {1, 8, 8}, true}},
      {"vgg11", {narrow_vgg, {1, 32, 32}}},
      {"vgg16", {narrow_vgg, {1, 32, 32}}},
      {"vgg19", {narrow_vgg, {1, 32, 32}}},
      {"vgg11_bn", {narrow_vgg, {1, 32, 32}, true}},
      {"vgg16_bn", {narrow_vgg, {1, 32, 32}}},
      {"vgg19_bn", {narrow_vgg, {1, 32, 32}}},
      {"inception_v3", {{{"width", 0.03125}}, {1, 75, 75}}},
      {"mobilenet_v3_small", {{{"width", 0.25}}, {1, 12, 12}, true}},
      {"mobilenet_v3_large", {{{"width", 0.125}}}},
      {"vit_b_16", {tiny_vit, {1, 12, 12}, true}},
      {"vit_s_16", {tiny_vit}},
  };
  return networks;
}

/// An architecture from outside is taken as it is.
inline ReducedNetwork reduced_network(const std::string& name) {
  const auto found = reduced_networks().find(name);
  if (found == reduced_networks().end()) return {.choices = true};
  return found->second;
}

/// Its block of a spec.
inline Json reduced_block(const std::string& name) {
  Json block = reduced_network(name).options;
  block["name"] = name;
  return block;
}

}  // namespace kshot::test
