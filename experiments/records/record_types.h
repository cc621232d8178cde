#pragma once

#include <filesystem>

#include "framework/base/fields.h"

namespace kshot {

/// Checks that the fields which readers of records use have the types of docs/records.md, where
/// they are there at all; what the fields say is not checked. Throws Error(bad_data) naming file
/// and field.
void check_result_types(const Json& result, const std::filesystem::path& file);
void check_spec_types(const Json& spec, const std::filesystem::path& file);
void check_env_types(const Json& env, const std::filesystem::path& file);

}  // namespace kshot
