#include "tests/golden/golden_learning.h"

namespace kshot {
namespace {

TEST_CASE("ProtoNet's loss and gradients equal learn2learn's") {
  test::check_golden_conv("conv_protonet", {{"name", "protonet"}});
}

}  // namespace
}  // namespace kshot
