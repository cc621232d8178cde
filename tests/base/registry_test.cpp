#include "framework/base/registry.h"

#include <doctest/doctest.h>

#include "tests/base/caught.h"

namespace kshot::registry_test {

using test::caught;
using test::message_of;

namespace {

struct ToyFacts {
  std::string name;
};

struct ToyPlugin {
  static constexpr const char* kKind = "toy";
  ToyFacts facts;
  int value = 0;
};

struct OtherPlugin {
  static constexpr const char* kKind = "other";
  ToyFacts facts;
};

const Registration<OtherPlugin> kFirst{{{"protonet"}}};
const Registration<OtherPlugin> kSecond{{{"matching"}}};

Registry<ToyPlugin> toys() {
  Registry<ToyPlugin> registry;
  registry.add({{"protonet"}, 1});
  registry.add({{"maml"}, 2});
  registry.add({{"reptile"}, 3});
  return registry;
}

}  // namespace

TEST_CASE("a plugin is found by its name, whatever the order of registration") {
  const auto registry = toys();
  CHECK(registry.find("maml").value == 2);
  CHECK(registry.find("protonet").value == 1);
  CHECK(registry.names() == std::vector<std::string>{"maml", "protonet", "reptile"});
}

TEST_CASE("an unknown plugin is a bad spec that names the kind, the nearest and the known") {
  const auto registry = toys();
  const auto error = caught([&] { registry.find("protonett"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()) ==
        "unknown toy \"protonett\" (did you mean \"protonet\"?); known: maml, protonet, reptile");
  CHECK(message_of([&] { registry.find("svm_on_pixels"); }) ==
        "unknown toy \"svm_on_pixels\"; known: maml, protonet, reptile");
  CHECK(message_of([] { Registry<ToyPlugin>().find("maml"); }).find("unknown toy \"maml\"") == 0);
}

TEST_CASE("registering a name twice does not throw; finding it does, and others still work") {
  auto registry = toys();
  CHECK_NOTHROW(registry.add({{"maml"}, 9}));
  const auto error = caught([&] { registry.find("maml"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()) == "toy \"maml\" is registered twice; rename one of them");
  CHECK(registry.find("reptile").value == 3);
  CHECK(registry.names().size() == 3);
}

TEST_CASE("static registrations are there before main, one registry a kind") {
  CHECK(Registry<OtherPlugin>::instance().names() ==
        std::vector<std::string>{"matching", "protonet"});
}

}  // namespace kshot::registry_test
