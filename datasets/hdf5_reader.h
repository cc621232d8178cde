#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "framework/model/params.h"

namespace kshot {

/// Reads what Hdf5Writer wrote. HDF5 parses damaged files into wrong numbers or crashes: give it
/// only files whose hash was checked. Errors are Error(bad_data) naming the file and the data set.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  /// Where the values of a data set stand in the file.
  struct Extent {
    uint64_t offset = 0;
    std::vector<int64_t> shape;
    torch::Dtype dtype = torch::kByte;
  };

  bool has(const std::string& name) const;
  Extent extent(const std::string& name) const;
  Tensor read(const std::string& name) const;
  std::string read_text(const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kshot
