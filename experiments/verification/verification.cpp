#include "experiments/verification/verification.h"

#include <algorithm>
#include <functional>

#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// How many records `counts` holds for.
auto count_records(const std::vector<VerifiedRecord>& records,
                   const std::function<bool(const VerifiedRecord&)>& counts) {
  return std::count_if(records.begin(), records.end(), counts);
}

std::string record_text(const VerifiedRecord& record) {
  const RecordFindings& findings = record.findings;
  std::string text = fmt::format("{}: {}\n", findings.folder.string(),
                                 findings.consistent() ? "consistent" : "NOT consistent");
  for (const std::string& problem : findings.problems) text += fmt::format("  {}\n", problem);
  for (const std::string& item : findings.unchecked)
    text += fmt::format("  cannot be checked: {}\n", item);
  if (!record.rerun) return text;
  const Rerun& rerun = *record.rerun;
  switch (rerun.outcome) {
    case Rerun::Outcome::same:
      return text + "  tested again: the same, digit for digit\n";
    case Rerun::Outcome::stopped:
      return text + "  not tested again: stopped by a signal\n";
    case Rerun::Outcome::impossible:
      return text + fmt::format("  not tested again: {}\n", fmt::join(rerun.details, "; "));
    case Rerun::Outcome::differs:
      break;
  }
  text += "  tested again: NOT the same\n";
  for (const std::string& detail : rerun.details) text += fmt::format("    {}\n", detail);
  return text;
}

}  // namespace

bool VerifiedRecord::stands() const {
  return findings.consistent() && !(rerun && rerun->outcome == Rerun::Outcome::differs);
}

std::vector<VerifiedRecord> verify_records(const std::vector<fs::path>& folders, TaskEngine* engine,
                                           bool quiet) {
  std::vector<VerifiedRecord> records;
  Progress progress("verify", static_cast<int64_t>(folders.size()), quiet);
  for (const fs::path& folder : folders) {
    records.push_back({.findings = check_record(folder)});
    progress.update(static_cast<int64_t>(records.size()), folder.string());
  }
  for (VerifiedRecord& record : records) {
    if (engine == nullptr || !record.findings.consistent()) continue;
    record.rerun = stop_requested() ? Rerun{.outcome = Rerun::Outcome::stopped}
                                    : rerun_record(record.findings.folder, *engine, quiet);
  }
  return records;
}

std::string verification_text(const std::vector<VerifiedRecord>& records) {
  std::string text;
  for (const VerifiedRecord& record : records) text += record_text(record);
  text += fmt::format(
      "\n{} of {} records consistent: what a record states agrees with its own lines, spec and "
      "data.\nThat is not \"true\": only testing the weights again can show that.\n",
      count_records(records, [](const auto& record) { return record.findings.consistent(); }),
      records.size());
  const auto tested = [&](Rerun::Outcome outcome) {
    return count_records(records, [&](const VerifiedRecord& record) {
      return record.rerun && record.rerun->outcome == outcome;
    });
  };
  if (count_records(records, [](const auto& record) { return record.rerun.has_value(); }) > 0) {
    text +=
        fmt::format("Tested again: {} the same digit for digit, {} not the same, {} not done.\n",
                    tested(Rerun::Outcome::same), tested(Rerun::Outcome::differs),
                    tested(Rerun::Outcome::impossible) + tested(Rerun::Outcome::stopped));
  }
  return text;
}

Json verification_json(const std::vector<VerifiedRecord>& records) {
  Json list = Json::array();
  for (const VerifiedRecord& record : records) {
    const RecordFindings& findings = record.findings;
    list.push_back({{"folder", findings.folder.generic_string()},
                    {"consistent", findings.consistent()},
                    {"problems", findings.problems},
                    {"cannot_be_checked", findings.unchecked}});
    if (!findings.label.empty()) list.back()["run"] = findings.label;
    if (record.rerun) {
      list.back()["rerun"] = {{"outcome", outcome_text(record.rerun->outcome)},
                              {"details", record.rerun->details}};
    }
  }
  return {{"schema", "kshot.verification/1"}, {"records", list}};
}

}  // namespace kshot
