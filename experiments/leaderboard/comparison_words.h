#pragma once

#include <optional>
#include <string>

#include "framework/base/fields.h"
#include "framework/run/comparison.h"
#include "framework/run/score.h"

namespace kshot {

/// "a beats b by 31.2 +- 1.4 points (p < 0.001)", or that they cannot be told apart. The interval
/// is the one that the decision rests on.
std::string verdict(const std::string& first, const std::string& second,
                    const Comparison& comparison, double p_value,
                    const Score& score = score_of(TaskKind::classification));
/// "p < 0.001", "p = 0.042".
std::string p_text(double p_value);
/// The interval that the decision rests on.
std::optional<double> deciding_interval(const Comparison& comparison);
/// A paired comparison as JSON; what does not exist is absent.
Json comparison_json(const Comparison& comparison);

}  // namespace kshot
