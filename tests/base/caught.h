#pragma once

#include <optional>

#include "framework/base/error.h"

namespace kshot::test {

/// The Error that `action` throws, or nothing. Other exceptions pass.
template <class Action>
std::optional<Error> caught(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Its message, or "" if there was no Error.
template <class Action>
std::string message_of(Action action) {
  const auto error = caught(action);
  return error ? error->what() : "";
}

}  // namespace kshot::test
