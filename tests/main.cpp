// The test program. One intra-op thread, unless a test asks for more: numbers do not depend on the
// machine's cores then, and tests that run side by side do not fight for them.
#define DOCTEST_CONFIG_IMPLEMENT
#include "framework/base/device.h"
#include "tests/doctest_torch.h"
// Once more: the precompiled header read it before it was asked for its implementation.
#include <doctest/doctest.h>

int main(int argc, char** argv) {
  kshot::prepare_devices();
  at::set_num_threads(1);
  return doctest::Context(argc, argv).run();
}
