#include "datasets/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "datasets/safe_path.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

struct Free {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

/// One archive being read. libarchive's own reading of damaged files is forgiving; here every
/// complaint of its is an error.
class ArchiveReader {
 public:
  ArchiveReader(const std::filesystem::path& path, const ArchiveLimits& limits)
      : name_(path.string()), limits_(limits), archive_(archive_read_new()) {
    if (!archive_) throw Error(Exit::internal, "libarchive cannot be used");
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_filter_xz(archive_.get());
    // By its directory only, which stands at the end: a truncated zip is none.
    archive_read_support_format_zip_seekable(archive_.get());
    archive_read_support_format_tar(archive_.get());
    check_readable(path);
    if (archive_read_open_filename(archive_.get(), path.c_str(), 1 << 16) != ARCHIVE_OK) fail("");
  }

  /// Moves to the next entry; nullptr at the end.
  archive_entry* next() {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(archive_.get(), &entry);
    if (code == ARCHIVE_EOF) return nullptr;
    // A warning is about the character set of a name: it is looked at below.
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) fail("");
    if (++entries_ > limits_.entries) {
      throw Error(Exit::bad_data, "{}: more than {} entries", name_, limits_.entries);
    }
    return entry;
  }

  std::string path_of(archive_entry* entry) const {
    const char* text = archive_entry_pathname_utf8(entry);
    if (text == nullptr) text = archive_entry_pathname(entry);
    std::string path = text == nullptr ? "" : text;
    if (path.starts_with("./")) path.erase(0, 2);
    const bool folder = archive_entry_filetype(entry) == AE_IFDIR;
    if (folder && path.ends_with('/')) path.pop_back();
    if (folder && (path.empty() || path == ".")) return path;
    if (!stays_inside(path)) {
      throw Error(Exit::bad_data, "{}: entry \"{}\" points outside of the archive's folder", name_,
                  path);
    }
    return path;
  }

  /// Throws where the entry is neither a file nor a folder.
  bool is_file(archive_entry* entry, const std::string& path) const {
    const bool link =
        archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    const auto type = archive_entry_filetype(entry);
    if (link || (type != AE_IFREG && type != AE_IFDIR)) {
      throw Error(Exit::bad_data, "{}: entry \"{}\" is {}, expected files and folders", name_, path,
                  link || type == AE_IFLNK ? "a link" : "no file");
    }
    return type == AE_IFREG;
  }

  std::string bytes_of(const std::string& path) {
    std::string bytes;
    std::array<char, 1 << 16> buffer{};
    while (true) {
      const auto count = archive_read_data(archive_.get(), buffer.data(), buffer.size());
      if (count < 0) fail(path);
      if (count == 0) return bytes;
      bytes.append(buffer.data(), static_cast<size_t>(count));
      total_ += static_cast<uint64_t>(count);
      if (bytes.size() > limits_.entry_bytes) {
        throw Error(Exit::bad_data, "{}: entry \"{}\" unpacks to more than {} bytes", name_, path,
                    limits_.entry_bytes);
      }
      if (total_ > limits_.total_bytes) {
        throw Error(Exit::bad_data, "{}: unpacks to more than {} bytes", name_,
                    limits_.total_bytes);
      }
    }
  }

 private:
  /// libarchive opens folders and takes them for empty files.
  void check_readable(const std::filesystem::path& path) const {
    if (std::filesystem::is_directory(path)) {
      throw Error(Exit::io, "{}: a folder, expected a zip or tar file", name_);
    }
    errno = 0;
    if (!std::ifstream(path))
      throw Error(Exit::io, "{}: cannot be read: {}", name_, std::strerror(errno));
  }

  [[noreturn]] void fail(const std::string& entry) const {
    const char* reason = archive_error_string(archive_.get());
    throw Error(Exit::bad_data, "{}: not a sound zip or tar file, or truncated{}: {}", name_,
                entry.empty() ? "" : fmt::format(", at entry \"{}\"", entry),
                reason == nullptr ? "it ends too early" : reason);
  }

  std::string name_;
  ArchiveLimits limits_;
  std::unique_ptr<archive, Free> archive_;
  uint64_t entries_ = 0, total_ = 0;
};

}  // namespace

void read_archive(const std::filesystem::path& path, const std::function<void(ArchiveEntry)>& visit,
                  const ArchiveLimits& limits) {
  ArchiveReader reader(path, limits);
  while (archive_entry* entry = reader.next()) {
    const std::string name = reader.path_of(entry);
    if (reader.is_file(entry, name)) visit({name, reader.bytes_of(name)});
  }
}

}  // namespace kshot
