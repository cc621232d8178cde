// The data set plugin "pack": a file made by `kshot data import`.

#include <cstdlib>

#include "datasets/class_index.h"
#include "datasets/hdf5_pack.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

struct PackOptions {
  std::string path;
  DatasetView view;

  void describe(Fields& fields) {
    fields.option(
        "path", path,
        {.help = "the pack; a relative path is looked up from the current folder, then from the "
                 "folder that the environment variable KSHOT_DATA names"});
    view.describe(fields);
  }
};

/// The file itself, or the one below KSHOT_DATA.
std::filesystem::path find_pack(const std::string& path) {
  if (path.empty()) throw Error(Exit::bad_spec, "dataset.path is missing: the pack to read");
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  const char* data = std::getenv("KSHOT_DATA");
  if (data != nullptr && *data != '\0' && std::filesystem::path(path).is_relative()) {
    const std::filesystem::path below = std::filesystem::path(data) / path;
    if (std::filesystem::exists(below, ignored)) return below;
  }
  throw Error(Exit::io,
              "dataset.path: {} does not exist{}; make it with kshot data import (its --help tells "
              "about sizes "
              "and resizing), or name another with --set dataset.path=FILE",
              path, data == nullptr ? "" : fmt::format(", nor below KSHOT_DATA={}", data));
}

const DatasetRegistration kPack{DatasetPlugin::with<PackOptions>(
    {.name = "pack",
     .summary = "a data pack: one HDF5 file made by `kshot data import`",
     .source = "Omniglot, folders of images, ..."},
    [](const PackOptions& options) { return open_pack(find_pack(options.path)); })};

}  // namespace
}  // namespace kshot
