#pragma once

#include <string>
#include <vector>

#include "experiments/experiment_spec.h"

namespace kshot {

/// What sets one trial of a sweep apart: edits of the spec, in the order in which they are applied
/// (whole blocks first, a plugin's name before its options).
using Settings = std::vector<SpecEdit>;

/// The trials that a spec's "sweep" block stands for. The block's entries are factors, and the
/// trials are all their combinations:
///     "PATH": [values]                             each value
///     "zip": {"PATH": [values], ...}               lists of one length, side by side
///     "list": [{"PATH": value, ...}, ...]          these settings, one after the other
///     "random": {"count": n, "seed": 0, "settings": {"PATH": DRAW, ...}}    n draws
///     "when": {"PATH": {"OTHER": value or [values]}}   no factor: PATH is only set in trials where
///                                                  OTHER has that value, given or by default
/// where DRAW is {"log_uniform": [low, high]}, {"uniform": [low, high]}, {"integer": [low, high]}
/// or {"choice": [values]}. Trials that come out alike count once. What is drawn for a path depends
/// on the seed, the path and the draw's number alone.
/// `spec` holds the block; `device_kind` as read_spec() takes it. Throws Error(bad_spec).
std::vector<Settings> expand_sweep(const Json& spec, const std::string& device_kind);

/// "algorithm.inner_lr=0.1 seed=2".
std::string settings_text(const Settings& settings);
/// {"algorithm.inner_lr": 0.1, "seed": 2}.
Json settings_json(const Settings& settings);

/// A value as a table shows it: text without its quotes.
std::string value_text(const Json& value);

}  // namespace kshot
