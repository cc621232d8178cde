#include "framework/base/device.h"

#include <ATen/Context.h>

#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::device_test {

using test::caught;

TEST_CASE(
    "a device is found by name, and what is no device is a bad spec that says what would be") {
  CHECK(device_kind(find_device("cpu")) == "cpu");
  CHECK(device_kind(find_device("auto")) == (torch::cuda::is_available() ? "cuda" : "cpu"));
  for (const char* name : {"tpu", "", "CPU", "cudax"}) {
    const auto error = caught([&] { find_device(name); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    CHECK(std::string(error->what()).find("expected auto, cpu, cuda or cuda:<number>") !=
          std::string::npos);
  }
  for (const char* name : {"cuda:999", "cuda:", "cuda:-1", "cuda:99999999999999999999"}) {
    const auto error = caught([&] { find_device(name); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
  }
}

TEST_CASE(
    "after preparation float32 is IEEE and cuDNN deterministic, whatever LibTorch starts with") {
  at::globalContext().setAllowTF32CuDNN(true);
  CHECK(arithmetic().tf32);
  prepare_devices();
  CHECK_FALSE(arithmetic().tf32);
  CHECK(arithmetic().deterministic_cudnn);
  CHECK_FALSE(arithmetic().cudnn_benchmark);
}

TEST_CASE("the processor has a model name, and a GPU that is not there has none") {
  CHECK_FALSE(device_model(torch::kCPU).empty());
  CHECK(device_model(torch::Device(torch::kCUDA, 99)) == "unknown");
}

}  // namespace kshot::device_test
