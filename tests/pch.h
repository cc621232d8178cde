#pragma once
// The precompiled header of the tests: the program's, and doctest.

#include "framework/base/pch.h"
#include "tests/doctest_torch.h"
