#pragma once

#include <optional>

#include "import/reader.h"

namespace attune {

enum class RawType { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };
std::size_t bytes_of(RawType type);

// Where the numbers of a volume stand and what they are: what the headers of NIfTI, MetaImage and
// NRRD say, each in its own way. The slices lie behind each other, row by row, the components of a
// pixel side by side.
struct RawLayout {
  FileHeader header;
  RawType type = RawType::uint8;
  std::size_t n_components = 1;
  bool big_endian = false;
  double slope = 1, intercept = 0;
  std::string data_file;  // the file itself, or another beside it
  std::uint64_t offset = 0;
  bool from_end = false;   // the pixels are the file's last bytes, whatever the offset
  bool deflated = false;   // gzip or zlib from the offset on
  std::uint64_t skip = 0;  // bytes before the pixels, once inflated
};

// Refuses headers that the data file cannot fulfil; slices are read one at a time.
std::unique_ptr<SliceReader> open_raw(const std::string& path, RawLayout layout);

// Sizes of an image or volume, fastest axis first, into width, height and slices; the axes after
// the second count slices. A DataError where one is no whole number above 0.
void set_sizes(const std::string& path, const std::vector<double>& sizes, FileHeader& header);

// A distance that may be signed, absent (0) or nonsense, as mm; NaN where it says nothing.
float spacing_in_mm(double value, double mm_a_unit);

}  // namespace attune
