#include "framework/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/fault_point.h"

namespace kshot {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw Error(Exit::io, "{}: {}: {}", path.string(), what, std::strerror(errno));
}

void write_all(int descriptor, const char* data, size_t size, const std::filesystem::path& path) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "cannot be written");
    data += written;
    size -= static_cast<size_t>(written);
  }
}

/// Makes a rename durable.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

constexpr std::string_view kTemporary = ".tmp";

/// A name beside `path` that no other file has; machines that share a folder may have processes of
/// the same number.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static const uint32_t salt = std::random_device()();
  static std::atomic<int> count{0};
  return folder_of(path) / fmt::format(".{}.{}-{:x}-{}{}", path.filename().string(), ::getpid(),
                                       salt, count.fetch_add(1), kTemporary);
}

bool is_temporary_name(const std::string& name) {
  return name.starts_with('.') && name.ends_with(kTemporary);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  temporary_ = temporary_name(path_);
  descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "cannot be created");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t size) {
  fault_point();
  write_all(descriptor_, static_cast<const char*>(data), size, path_);
}

void AtomicFile::write_at(uint64_t offset, const void* data, size_t size) {
  const char* rest = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(descriptor_, rest, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "cannot be written");
    rest += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  fault_point();
  if (::fsync(descriptor_) != 0) fail(path_, "cannot be flushed to disk");
  fault_point();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "cannot be put in place");
  fault_point();
  ::close(descriptor_);
  descriptor_ = -1;
  sync_folder(folder_of(path_));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void keep_also_as(const std::filesystem::path& path, const std::filesystem::path& other) {
  const std::filesystem::path temporary = temporary_name(other);
  std::error_code error;
  std::filesystem::create_hard_link(path, temporary, error);
  if (error) std::filesystem::copy_file(path, temporary, error);  // some file systems have no links
  if (error) throw Error(Exit::io, "{}: cannot be kept: {}", path.string(), error.message());
  fault_point();
  if (::rename(temporary.c_str(), other.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    fail(other, "cannot be put in place");
  }
  // Where both were one file already, rename does nothing.
  std::filesystem::remove(temporary, error);
  fault_point();
}

void exchange(const std::filesystem::path& first, const std::filesystem::path& second) {
  if (::renameat2(AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) fail(second, "cannot be replaced");
  const std::filesystem::path aside = temporary_name(second);
  std::error_code error;
  std::filesystem::rename(second, aside, error);
  if (!error) std::filesystem::rename(first, second, error);
  if (!error) std::filesystem::rename(aside, first, error);
  if (error) throw Error(Exit::io, "{}: cannot be replaced: {}", second.string(), error.message());
}

void remove_leftovers(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> leftovers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (is_temporary_name(entry.path().filename().string())) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove(path, error);
}

std::string read_file(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "cannot be read");
  std::string text;
  std::vector<char> buffer(1 << 16);
  ssize_t count = 0;
  while ((count = ::read(descriptor, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  if (count < 0) fail(path, "cannot be read");
  return text;
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error(Exit::io, "{}: cannot be created: {}", path.string(), error.message());
}

}  // namespace kshot
