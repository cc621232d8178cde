#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace kshot {

/// A file that appears whole or not at all: bytes go to a temporary name in the same folder;
/// commit() flushes them to the disk and renames. Without commit() the destructor removes them.
/// All members throw Error(io) with the path and the system's reason (a full disk, say).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Overwrites bytes already written, for headers that are known last.
  void write_at(uint64_t offset, const void* data, size_t size);
  void commit();

  /// Where the bytes are until commit(), for libraries that write by themselves.
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Puts the file `path` also under the name `other` in the same folder, whatever stood there. It
/// stays there when `path` is replaced. Throws Error(io).
void keep_also_as(const std::filesystem::path& path, const std::filesystem::path& other);

/// Lets two files or folders change places, at once where the file system can. Throws Error(io).
void exchange(const std::filesystem::path& first, const std::filesystem::path& second);

/// Removes what processes that were killed left of their atomic files in a folder, where no other
/// process writes now.
void remove_leftovers(const std::filesystem::path& folder);

/// The whole file. Throws Error(io).
std::string read_file(const std::filesystem::path& path);

/// Makes the folder and its parents. Throws Error(io).
void make_folder(const std::filesystem::path& path);

}  // namespace kshot
