#pragma once

#include <string_view>

namespace kshot {

/// CSS of a report on top of the page's own.
extern const std::string_view kReportStyle;

}  // namespace kshot
