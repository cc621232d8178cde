#include "datasets/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "framework/base/error.h"

namespace kshot {

struct MappedFile::Region {
  std::string path;
  int descriptor = -1;
  struct stat facts{};
  void* memory = MAP_FAILED;
  size_t size = 0;
  ~Region() {
    if (memory != MAP_FAILED) ::munmap(memory, size);
    if (descriptor >= 0) ::close(descriptor);
  }
};

MappedFile::MappedFile(const std::filesystem::path& path) {
  auto region = std::make_shared<Region>();
  region->path = path.string();
  region->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (region->descriptor >= 0 && ::fstat(region->descriptor, &region->facts) == 0 &&
      region->facts.st_size > 0) {
    region->size = static_cast<size_t>(region->facts.st_size);
    region->memory = ::mmap(nullptr, region->size, PROT_READ, MAP_PRIVATE, region->descriptor, 0);
  }
  if (region->memory == MAP_FAILED) {
    throw Error(Exit::io, "{}: cannot be mapped: {}", region->path, std::strerror(errno));
  }
  region_ = std::move(region);
}

Tensor MappedFile::tensor(uint64_t offset, const std::vector<int64_t>& shape,
                          torch::Dtype dtype) const {
  const uint64_t bytes =
      static_cast<uint64_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype);
  if (offset > region_->size || bytes > region_->size - offset) {
    throw Error(Exit::bad_data, "{}: samples reach past the end of the file", region_->path);
  }
  char* start = static_cast<char*>(region_->memory) + offset;
  return torch::from_blob(start, shape, [keep = region_](void*) {}, torch::dtype(dtype));
}

void MappedFile::check_unchanged() const {
  struct stat now{};
  const struct stat& then = region_->facts;
  const bool same = ::fstat(region_->descriptor, &now) == 0 && now.st_size == then.st_size &&
                    now.st_mtim.tv_sec == then.st_mtim.tv_sec &&
                    now.st_mtim.tv_nsec == then.st_mtim.tv_nsec;
  if (!same) {
    throw Error(Exit::bad_data,
                "{}: was written to while it was in use: what was learned since the last "
                "checkpoint is not kept",
                region_->path);
  }
}

}  // namespace kshot
