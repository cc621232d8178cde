#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/model/params.h"

namespace kshot {

/// Samples of any shape and the label of each, in the order of their file.
struct VectorTable {
  Tensor samples;                   ///< [M, ...shape], float32 (finite) or uint8
  std::vector<std::string> labels;  ///< M of them, UTF-8, none empty
  std::vector<std::string> notes;   ///< how the file was understood
};

/// A CSV file of numbers with a column of labels; samples [M,D]. `label_column` is a column's name
/// in the header or its number from 1; empty = the last. The first line is a header where the label
/// column is named, or where none of its other cells is a number. Throws Error(io), Error(bad_spec)
/// for a column that is not there, Error(bad_data) naming file and line: ragged lines, text or NaN
/// among the numbers, no label, no line.
VectorTable read_csv_vectors(const std::filesystem::path& path, const std::string& label_column);

/// A .npy file of float32, float64 (kept as float32) or uint8 [M, ...shape], and the labels of its
/// rows: whole numbers [M] in a .npy file, or a text file with a label a line. Throws Error(io),
/// Error(bad_data) naming file and value: a file that is not what it says (read_npy), NaN or
/// infinite values, other types, too many or too few labels.
VectorTable read_npy_vectors(const std::filesystem::path& path,
                             const std::filesystem::path& labels);

}  // namespace kshot
