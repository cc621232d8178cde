#pragma once
// doctest for tests that use tensors. LibTorch has a CHECK macro of its own that silently replaces
// doctest's where it is included later: a test would then abort, or check nothing. So torch comes
// first, its macro goes, and doctest follows. Include this header before any of LibTorch's and
// instead of doctest's.

#ifdef DOCTEST_LIBRARY_INCLUDED
#error "include tests/doctest_torch.h instead of <doctest/doctest.h>, and before it"
#endif

#include <c10/util/Logging.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#undef CHECK

// c10 has toString() functions of its own that return const char*; doctest then stringifies those.
#define DOCTEST_CONFIG_DOUBLE_STRINGIFY
#include <doctest/doctest.h>

// A later torch header cannot bring the macro back: the file that defines it has an include guard.
