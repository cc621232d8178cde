#pragma once

#include <string>
#include <string_view>

namespace kshot {

/// Text as it must stand between tags or in a quoted attribute.
std::string html_escape(std::string_view text);

/// A whole document that needs nothing from outside: no network, light and dark as the reader's
/// system asks, as narrow as a telephone. `body` is HTML; `style` is CSS on top of the common one,
/// whose colours are the variables --text, --quiet, --paper, --panel, --line and --accent.
std::string html_page(std::string_view title, std::string_view body, std::string_view style = "");

}  // namespace kshot
