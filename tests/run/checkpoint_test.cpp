#include "framework/run/checkpoint.h"

#include <fstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/base/full_disk.h"
#include "tests/base/kill.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::checkpoint_test {

using test::caught;
using test::numbers;
using test::TemporaryFolder;

Checkpoint sample(double scale, const std::string& text = "a") {
  Checkpoint checkpoint;
  checkpoint.weights.add({"net.weight", scale * numbers({200, 3}, 1)});
  checkpoint.weights.add({"net.mean", scale * numbers({3}, 2), Role::buffer, "slow"});
  checkpoint.optimizer.add({"net.weight.exp_avg", scale * numbers({200, 3}, 3), Role::buffer});
  checkpoint.optimizer.add(
      {"net.weight.step", torch::tensor(static_cast<int64_t>(10 * scale)), Role::buffer});
  checkpoint.state = {{"iteration", 10 * scale}, {"best", 0.1 + 0.2}, {"text", text}};
  return checkpoint;
}

void check_equal(const Checkpoint& a, const Checkpoint& b) {
  CHECK(a.state == b.state);
  for (const auto& [x, y] :
       {std::pair{&a.weights, &b.weights}, std::pair{&a.optimizer, &b.optimizer}}) {
    REQUIRE(x->size() == y->size());
    for (const Param& param : *x) {
      REQUIRE(y->find(param.name) != nullptr);
      CHECK(torch::equal(param.value, (*y)[param.name]));
      CHECK(param.role == y->find(param.name)->role);
      CHECK(param.group == y->find(param.name)->group);
    }
  }
}

Checkpoint load(const TemporaryFolder& folder) {
  return load_checkpoint(folder.path(), "last", sample(0).weights);
}

TEST_CASE("weights, optimiser state and the rest come back to the last bit") {
  const TemporaryFolder folder;
  CHECK_FALSE(has_checkpoint(folder.path(), "last"));
  save_checkpoint(folder.path(), "last", sample(1));
  CHECK(has_checkpoint(folder.path(), "last"));
  check_equal(load(folder), sample(1));
  save_checkpoint(folder.path(), "last", sample(2));
  check_equal(load(folder), sample(2));
  CHECK(folder.names() == std::set<std::string>{"last.json", "last.safetensors"});
}

TEST_CASE("tensors are called weights/NAME and optimizer/NAME.PART in the file") {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), "last", sample(1));
  std::set<std::string> names;
  for (const NamedTensor& tensor :
       from_safetensors(read_file(folder / "last.safetensors"), "FILE").tensors)
    names.insert(tensor.name);
  CHECK(names == std::set<std::string>{"weights/net.weight", "weights/net.mean",
                                       "optimizer/net.weight.exp_avg",
                                       "optimizer/net.weight.step"});
}

TEST_CASE("one flipped bit anywhere in the tensors' file is refused") {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), "last", sample(1));
  const std::string good = read_file(folder / "last.safetensors");
  for (size_t i = 0; i < good.size(); i += 97) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    std::ofstream(folder / "last.safetensors", std::ios::binary) << damaged;
    const auto error = caught([&] { load(folder); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()).find("last.safetensors") != std::string::npos);
  }
  std::ofstream(folder / "last.safetensors", std::ios::binary) << good.substr(0, good.size() - 1);
  CHECK(caught([&] { load(folder); })->code() == Exit::bad_data);
}

TEST_CASE("a state file that is none is refused, and a missing file is the disk's fault") {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), "last", sample(1));
  for (const char* text :
       {"", "{", "[]", "{}", "{\"sha256\": 1}", "{\"sha256\": 1, \"state\": {}}"}) {
    CAPTURE(text);
    std::ofstream(folder / "last.json") << text;
    const auto error = caught([&] { load(folder); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
  }
  std::filesystem::remove(folder / "last.json");
  CHECK_FALSE(has_checkpoint(folder.path(), "last"));
  CHECK(caught([&] { load(folder); })->code() == Exit::io);
  save_checkpoint(folder.path(), "last", sample(1));
  std::filesystem::remove(folder / "last.safetensors");
  CHECK_FALSE(has_checkpoint(folder.path(), "last"));
  CHECK(caught([&] { load(folder); })->code() == Exit::io);
}

TEST_CASE("a state nested a million deep, or with a key twice, is refused; saving replaces it") {
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']');
  const std::string sha = std::string(64, '0');
  for (const std::string& text :
       {deep, "{\"sha256\": \"" + sha + "\", \"state\": " + deep + "}",
        "{\"sha256\": " + deep + ", \"state\": {}}",
        "{\"sha256\": \"" + sha + "\", \"state\": {}, \"previous\": " + deep + "}",
        "{\"sha256\": \"" + sha + "\", \"state\": {}, \"state\": {}}"}) {
    CAPTURE(text.substr(0, 120));
    const TemporaryFolder folder;
    save_checkpoint(folder.path(), "last", sample(1));
    const std::string hash = sha256_hex(read_file(folder / "last.safetensors"));
    std::string damaged = text;
    if (const size_t at = damaged.find(sha); at != std::string::npos)
      damaged.replace(at, sha.size(), hash);
    std::ofstream(folder / "last.json") << damaged;
    const auto error = caught([&] { load(folder); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    save_checkpoint(folder.path(), "last", sample(2));
    check_equal(load(folder), sample(2));
  }
}

TEST_CASE("weights of another network are refused by name") {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), "last", sample(1));
  ParamList other;
  other.add({"net.weight", numbers({200, 4}, 1)});
  const auto error = caught([&] { load_checkpoint(folder.path(), "last", other); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
  CHECK(std::string(error->what()).find("\"net.weight\" has shape [200,3], expected [200,4]") !=
        std::string::npos);
  CHECK(std::string(error->what()).find("\"net.mean\" is not expected") != std::string::npos);
}

TEST_CASE("a full disk leaves the old checkpoint, whichever file it stops") {
  // The tensors need 10 KB. With a long text the state needs 20, so each file in turn is the one
  // that fails.
  for (const size_t text : {size_t{1}, size_t{20000}}) {
    const TemporaryFolder folder;
    save_checkpoint(folder.path(), "last", sample(1));
    std::optional<Error> error;
    {
      const test::FullDisk full(text == 1 ? 5000 : 15000);
      error = caught(
          [&] { save_checkpoint(folder.path(), "last", sample(2, std::string(text, 'x'))); });
    }
    REQUIRE(error);
    CHECK(error->code() == Exit::io);
    check_equal(load(folder), sample(1));
    CHECK(folder.names() == std::set<std::string>{"last.json", "last.safetensors"});
    save_checkpoint(folder.path(), "last", sample(3));
    check_equal(load(folder), sample(3));
  }
}

TEST_CASE("SIGKILL at any stage of saving leaves the old checkpoint or the new one, also twice") {
  for (const Previous previous : {Previous::drop, Previous::keep}) {
    const auto save = [&](const TemporaryFolder& folder, double scale) {
      save_checkpoint(folder.path(), "last", sample(scale), previous);
    };
    int stages = 0;
    for (int n = 1; ++stages < 100; ++n) {
      const TemporaryFolder folder;
      save(folder, 1);
      if (!test::killed_at(n, [&] { save(folder, 2); })) break;
      const double found = load(folder).state["iteration"].get<double>() / 10;
      check_equal(load(folder), sample(found));
      CHECK((found == 1 || found == 2));
      for (const int m : {1, 4, 6, 8, 9, 10, 11, 12, 13}) {
        CAPTURE(n);
        CAPTURE(m);
        const TemporaryFolder again;
        std::filesystem::copy(folder.path(), again.path(),
                              std::filesystem::copy_options::recursive);
        test::killed_at(m, [&] { save(again, 3); });
        const double then = load(again).state["iteration"].get<double>() / 10;
        check_equal(load(again), sample(then));
        CHECK((then == found || then == 3));
        save(again, 4);
        check_equal(load(again), sample(4));
      }
    }
    CHECK(stages > 10);
    CHECK(stages < 30);
  }
}

TEST_CASE("where the last is damaged the one before is taken, with a word of why") {
  const TemporaryFolder folder;
  const auto latest = [&] { return load_latest(folder.path(), "last", sample(0).weights); };
  const std::string tensors = "last.safetensors", state = "last.json";
  const auto damage = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  };
  save_checkpoint(folder.path(), "last", sample(1), Previous::keep);
  save_checkpoint(folder.path(), "last", sample(2), Previous::keep);
  CHECK(latest().warning.empty());
  check_equal(latest().checkpoint, sample(2));
  for (const std::string& name : {tensors, state}) {
    const std::string good = read_file(folder / name);
    std::vector<std::string> bad = {"", good.substr(0, good.size() / 2)};
    for (size_t i = 3; i < good.size(); i += good.size() / 20) {
      bad.push_back(good);
      bad.back()[i] = static_cast<char>(bad.back()[i] ^ 2);
    }
    for (const std::string& text : bad) {
      damage(name, text);
      const Latest found = latest();
      if (found.warning.empty()) {  // a blank between two values of the state, say
        check_equal(found.checkpoint, sample(2));
        CHECK(name == state);
        continue;
      }
      CHECK(found.warning.find("last.safetensors: damaged") != std::string::npos);
      check_equal(found.checkpoint, sample(1));
    }
    // What is saved next does not put the damaged one in the place of the good one before.
    damage(name, good.substr(0, good.size() / 2));
    save_checkpoint(folder.path(), "last", sample(3), Previous::keep);
    check_equal(latest().checkpoint, sample(3));
    damage(tensors, "");
    check_equal(latest().checkpoint, sample(1));
    save_checkpoint(folder.path(), "last", sample(2), Previous::keep);
  }
  damage(tensors, "");
  damage("last.previous.json", "{}");
  CHECK(caught(latest)->code() == Exit::bad_data);
}

TEST_CASE("a folder that is not there is the disk's fault") {
  const TemporaryFolder folder;
  const auto error = caught([&] { save_checkpoint(folder / "none", "last", sample(1)); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
}

}  // namespace kshot::checkpoint_test
