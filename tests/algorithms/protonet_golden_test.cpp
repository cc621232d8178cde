#include "tests/golden/golden_learning.h"

namespace kshot::protonet_golden_test {

TEST_CASE("ProtoNet's loss and gradients equal learn2learn's") {
  test::check_golden_conv("conv_protonet", {{"name", "protonet"}});
}

}  // namespace kshot::protonet_golden_test
