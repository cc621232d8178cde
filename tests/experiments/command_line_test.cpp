#include "experiments/command_line.h"

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::command_line_test {

using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

Command example() {
  Command command;
  command.name = "example";
  command.usage = "example SPEC WORD...";
  command.positional = {"spec", "word..."};
  add_compute_options(command.options);
  return command;
}

TEST_CASE("bare words fill the positional options in order, the last takes what remains") {
  Command command = example();
  std::string spec;
  std::vector<std::string> words;
  command.run = [&](const Arguments& arguments) {
    spec = required(arguments, "spec", "example");
    words = arguments["word"].as<std::vector<std::string>>();
    return 7;
  };
  CHECK(run_command(command, {"demo", "a", "--quiet", "b"}) == 7);
  CHECK(spec == "demo");
  CHECK(words == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a missing argument is named as the usage names it") {
  const auto message = [](const char* name, const std::string& usage) {
    const auto error = test::caught([&] { required({}, name, usage); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    return std::string(error->what());
  };
  CHECK(message("spec", "run SPEC") == "SPEC is missing: usage: kshot run SPEC");
  CHECK(message("support", "x --support DIR") ==
        "--support is missing: usage: kshot x --support DIR");
  CHECK(message("second", "compare RUN RUN").starts_with("an argument is missing"));
}

TEST_CASE("in a table numbers stand to the right and words to the left") {
  CHECK(text_table({{"A", "B"}, {"0: off", "1.5"}, {"x", "-12 %"}}) ==
        "A       B\n0: off    1.5\nx       -12 %\n");
}

TEST_CASE("--set may be repeated and keeps its order") {
  Command command = example();
  std::vector<SpecEdit> edits;
  command.run = [&](const Arguments& arguments) {
    edits = edits_of(arguments);
    return 0;
  };
  run_command(command, {"demo", "--set", "seed=2", "--set", "name=x", "--set", "seed=3"});
  REQUIRE(edits.size() == 3);
  CHECK(edits[0].value == 2);
  CHECK(edits[1].value == "x");
  CHECK(edits[2].value == 3);
}

TEST_CASE("an unknown option is refused with the nearest known name") {
  const auto error = test::caught([] { run_command(example(), {"demo", "--thread", "2"}); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_spec);
  CHECK(std::string(error->what()).find("did you mean \"--threads\"?") != std::string::npos);
}

TEST_CASE("an option without its value, or with one of another type, is a bad option") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"demo", "--threads"},
        std::vector<std::string>{"demo", "--threads", "two"},
        std::vector<std::string>{"demo", "--threads", "0"}}) {
    Command command = example();
    command.run = [](const Arguments& arguments) { return threads_of(arguments); };
    const auto error = test::caught([&] { run_command(command, words); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
  }
}

TEST_CASE("a table pads its columns to the widest cell, numbers to the right") {
  CHECK(text_table({{"NAME", "N"}, {"a", "10"}, {"longer", "9"}}) ==
        "NAME    N\na       10\nlonger   9\n");
  CHECK(text_table({{"α", "x"}, {"bb", "y"}}) == "α   x\nbb  y\n");
}

TEST_CASE("the program without a command tells what there is and fails") {
  const TemporaryFolder folder;
  CHECK(kshot(folder.path(), {}).code == 2);
  const Outcome help = kshot(folder.path(), {"--help"});
  CHECK(help.code == 0);
  CHECK(help.out.find("kshot run demo") != std::string::npos);
}

TEST_CASE("every command explains itself") {
  const TemporaryFolder folder;
  for (const char* name : {"run", "evaluate", "predict", "episodes", "data", "list", "describe",
                           "bench", "leaderboard", "compare"}) {
    INFO(name);
    const Outcome outcome = kshot(folder.path(), {name, "--help"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out.starts_with(std::string("usage: kshot ") + name));
  }
}

TEST_CASE("what is unknown is refused on one line, with the nearest name, and nothing is written") {
  const TemporaryFolder folder;
  const std::string spec = test::write_tiny_spec(folder.path(), "tiny");
  const struct {
    std::vector<std::string> words;
    const char* nearest;
  } cases[] = {{{"evalute", "x"}, "\"evaluate\""},
               {{"run", spec, "--trheads", "1"}, "\"--threads\""},
               {{"run", spec, "--set", "train.iteratons=5"}, "\"iterations\""},
               {{"run", spec, "--set", "algorithm.name=protnet"}, "\"protonet\""},
               {{"run", spec, "--set", "backbone.channel=5"}, "\"channels\""},
               {{"list", "algoritms"}, "\"algorithms\""},
               {{"describe", "algorithm", "protonett"}, "\"protonet\""}};
  for (const auto& example : cases) {
    const Outcome outcome = kshot(folder.path(), example.words);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.one_line_error());
    CHECK(outcome.err.find(example.nearest) != std::string::npos);
  }
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"tiny.json"});
}

TEST_CASE("output that cannot be written is an I/O error") {
  const TemporaryFolder folder;
  const Outcome outcome = test::shell(folder.path(), "\"$KSHOT\" describe spec >/dev/full");
  CHECK(outcome.code == 74);
  CHECK(outcome.one_line_error());
}

}  // namespace kshot::command_line_test
