#pragma once

namespace kshot {

/// A place in the writing of files where a process may die and nothing must be lost. Does nothing
/// in the program; the test program links a definition of its own, which kills at the n-th place.
void fault_point();

}  // namespace kshot
