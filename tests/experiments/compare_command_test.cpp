#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::compare_command_test {

using doctest::Approx;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;
using test::write_record;

TEST_CASE("two runs are compared in words and numbers on the tasks that both met") {
  // alpha less beta: 0.1 0.1 0.1 0, mean 0.075, std 0.05, t_{3,0.975} = 3.182.
  const TemporaryFolder folder;
  write_record(folder / "results", {});
  write_record(folder / "results", {.name = "beta", .id = "bbbbbbbbbbbb", .right = {5, 7, 3, 10}});
  const Outcome told = kshot(folder.path(), {"compare", "alpha", "beta"});
  INFO(told.err);
  CHECK(told.code == 0);
  CHECK(told.out.find("alpha (aaaaaaaaaaaa, seed 1)\n  70.00 % +- ") != std::string::npos);
  CHECK(told.out.find("alpha and beta: 7.50 +- ") != std::string::npos);
  CHECK(told.out.find("on these tasks:   +7.50 +- 7.96 points (p = 0.058)") != std::string::npos);
  CHECK(told.out.find("the first is better on 3 tasks, equal on 1, worse on 0") !=
        std::string::npos);
  const Json json = kshot(folder.path(), {"compare", "alpha", "beta", "--json"}).json();
  CHECK(json["first"]["id"] == "aaaaaaaaaaaa");
  CHECK(json["second"]["accuracy"]["mean"].get<double>() == Approx(0.625));
  CHECK(json["comparison"]["difference"].get<double>() == Approx(0.075));
  CHECK(json["tasks"]["better"] == 3);
}

TEST_CASE("runs of one name that differ in the seed alone are compared as one method") {
  // Of each task the mean over seeds: 0.7 0.8 0.5 0.9; less beta 0.5 0.7 0.3 0.9.
  const TemporaryFolder folder;
  write_record(folder / "results", {.id = "000000000001", .seed = 2, .right = {8, 8, 6, 8}});
  write_record(folder / "results", {.id = "000000000002", .seed = 1});
  write_record(folder / "results", {.name = "beta", .id = "000000000003", .right = {5, 7, 3, 9}});
  const Outcome told = kshot(folder.path(), {"compare", "alpha", "beta"});
  INFO(told.err);
  CHECK(told.code == 0);
  CHECK(told.out.find("alpha (seeds 1, 2)\n  72.50 % +- ") != std::string::npos);
  CHECK(told.out.find("; the means of its 2 trainings have a standard deviation of 3.54\n") !=
        std::string::npos);
  CHECK(told.out.find("Paired on the same 4 tasks, each the mean over seeds;") !=
        std::string::npos);
  const Json json = kshot(folder.path(), {"compare", "alpha", "beta", "--json"}).json();
  CHECK(json["first"]["runs"].size() == 2);
  CHECK(json["first"]["accuracy"]["mean"].get<double>() == Approx(0.725));
  CHECK(json["first"]["accuracy"]["std_over_seeds"].get<double>() == Approx(0.0353553));
  CHECK(json["comparison"]["difference"].get<double>() == Approx(0.125));

  // One of them alone can be named, too.
  const Json one = kshot(folder.path(), {"compare", "alpha/000000000002", "beta", "--json"}).json();
  CHECK(one["first"]["seed"] == 1);
}

TEST_CASE("runs that are no one method, or met other tasks, are refused on one line") {
  const TemporaryFolder folder;
  const auto with_lr = [](const char* lr) { return Json{{"optimizer", {{"lr", lr}}}}; };
  write_record(folder / "results", {.id = "000000000001", .spec = with_lr("0.1")});
  write_record(folder / "results", {.id = "000000000002", .spec = with_lr("0.4")});
  write_record(folder / "results", {.name = "beta", .id = "000000000003", .first_row = 40});
  const Outcome several = kshot(folder.path(), {"compare", "alpha", "beta"});
  CHECK(several.code == 2);
  CHECK(several.one_line_error());
  CHECK(several.err.find("holds 2 runs that differ in more than the training seed") !=
        std::string::npos);
  const Outcome other = kshot(folder.path(), {"compare", "alpha/000000000001", "beta"});
  CHECK(other.code == 2);
  CHECK(other.err.find("different tasks: episodes sha256") != std::string::npos);
  CHECK(kshot(folder.path(), {"compare", "nowhere", "beta"}).code == 2);
}

}  // namespace kshot::compare_command_test
