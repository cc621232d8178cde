#include "experiments/records/episode_lines.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <memory>
#include <sstream>

#include "framework/base/error.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// The text of a gzip file. Its checksum does not matter: every figure is derived again.
std::string read_gzip(const fs::path& path) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(),
                                                                      &archive_read_free);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  std::string text;
  std::array<char, 1 << 16> buffer;
  bool good = archive_read_open_filename(reader.get(), path.c_str(), buffer.size()) == ARCHIVE_OK &&
              archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK;
  while (good) {
    const auto got = archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (got == 0) return text;
    good = got > 0;
    if (good) text.append(buffer.data(), static_cast<size_t>(got));
  }
  throw Error(Exit::bad_data, "{}: cannot be unpacked: {}", path.string(),
              archive_error_string(reader.get()));
}

}  // namespace

std::vector<EpisodeOutcome> read_episode_lines(const fs::path& folder) {
  const fs::path plain = folder / "episodes.jsonl", packed = folder / "episodes.jsonl.gz";
  if (fs::exists(plain) || !fs::exists(packed)) return read_outcomes(plain);
  std::vector<EpisodeOutcome> outcomes;
  std::istringstream text(read_gzip(packed));
  for (std::string line; std::getline(text, line);) {
    const std::string where = fmt::format("{}:{}", packed.string(), outcomes.size() + 1);
    outcomes.push_back(outcome_from_json(parse_strict(line).value, where));
  }
  return outcomes;
}

}  // namespace kshot
