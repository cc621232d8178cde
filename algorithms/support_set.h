#pragma once

#include "framework/model/params.h"

namespace kshot {

/// Which support images belong to which class: labels [T,S] in [0, way) -> ones and zeros
/// [T,S,way], as numbers like those of `like`.
/// Throws Error(bad_data) if a class has no support image.
Tensor class_members(const Tensor& labels, int64_t way, const Tensor& like);

/// The mean of each class: features [T,S,F], labels [T,S] in [0, way) -> [T,way,F]. Throws as
/// class_members().
Tensor class_means(const Tensor& features, const Tensor& labels, int64_t way);

}  // namespace kshot
