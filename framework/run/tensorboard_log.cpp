#include "framework/run/tensorboard_log.h"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <sstream>
#include <vector>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/strict_json.h"
#include "framework/run/tensorboard_event.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFilePrefix = "events.out.tfevents.";  // by which TensorBoard finds them

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Of training, when the line was written.
double seconds_of(const Json& line) { return line["time"]["seconds"]; }

bool is_metrics_line(const Json& line) {
  return line.is_object() && line.contains("phase") && line["phase"].is_string() &&
         line.contains("iteration") && line["iteration"].is_number_integer() &&
         line.contains("time") && line["time"].is_object() && line["time"].contains("seconds") &&
         line["time"]["seconds"].is_number();
}

std::vector<Json> read_lines(const fs::path& metrics) {
  std::istringstream text(read_file(metrics));
  std::vector<Json> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse_strict(line).value);
    if (!is_metrics_line(lines.back())) {
      throw Error(Exit::bad_data, "{}: line {} is not one of phase, iteration and time.seconds",
                  metrics.string(), lines.size());
    }
  }
  return lines;
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(kFilePrefix)) files.push_back(entry.path());
  }
  return files;
}

void make_empty(const fs::path& file) {
  std::error_code error;
  fs::resize_file(file, 0, error);
  if (error) throw Error(Exit::io, "{}: cannot be emptied: {}", file.string(), error.message());
}

std::vector<Scalar> scalars_of(Json line) {
  const std::string prefix = line["phase"] == "retrain" ? "retrain/" : "";
  line.erase("iteration");
  std::vector<Scalar> scalars;
  const Json values = line.flatten();  // keys as "/train/loss"
  for (const auto& [path, value] : values.items()) {
    // A loss that overflowed is null once it is read back.
    if (value.is_number() && std::isfinite(value.get<double>()))
      scalars.push_back({prefix + path.substr(1), value.get<float>()});
  }
  return scalars;
}

}  // namespace

TensorboardLog::TensorboardLog(const fs::path& folder, const fs::path& metrics) {
  const std::vector<Json> lines = read_lines(metrics);
  make_folder(folder);
  const std::vector<fs::path> before = event_files(folder);
  const double now = seconds_since_1970();
  start_ = lines.empty() ? now : now - seconds_of(lines.back());
  path_ = folder / fmt::format("{}{:.6f}", kFilePrefix, now);  // TensorBoard reads by name in order
  file_.open(path_, std::ios::binary);
  std::string bytes = version_record(start_) + restart_record(start_);
  for (const Json& line : lines) bytes += record_of(line);
  write(bytes);
  for (const fs::path& file : before) make_empty(file);
}

void TensorboardLog::append(const Json& line) { write(record_of(line)); }

std::string TensorboardLog::record_of(const Json& line) const {
  return scalars_record(start_ + seconds_of(line), line["iteration"], scalars_of(line));
}

/// Readers wait at a record that a full disk cut short, as at one that is being written.
void TensorboardLog::write(const std::string& bytes) {
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (!file_)
    throw Error(Exit::io, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace kshot
