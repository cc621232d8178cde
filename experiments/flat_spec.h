#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/base/fields.h"

namespace kshot {

/// Keys by dotted path with their values as text: "algorithm.inner_lr" -> "0.4".
using FlatSpec = std::map<std::string, std::string>;

/// The settings of a resolved spec, lists as a whole; without `name`, `paper`, `deviations`, `log`
/// and where packs lie, which decide no number.
FlatSpec flat_spec(const Json& spec);

/// Keys whose values are not the same in all of them, in order; a key that is absent somewhere
/// differs from one that has a value.
std::vector<std::string> differing_keys(const std::vector<FlatSpec>& all);

}  // namespace kshot
