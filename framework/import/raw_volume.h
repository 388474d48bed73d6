#pragma once

#include <cstdint>
#include <optional>

#include "import/reader.h"

namespace attune {

enum class RawType { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };

// Calls use(T{}) with the number type that `type` names.
template <class F>
auto with_type(RawType type, const F& use) {
  switch (type) {
    case RawType::int8:
      return use(std::int8_t{});
    case RawType::uint8:
      return use(std::uint8_t{});
    case RawType::int16:
      return use(std::int16_t{});
    case RawType::uint16:
      return use(std::uint16_t{});
    case RawType::int32:
      return use(std::int32_t{});
    case RawType::uint32:
      return use(std::uint32_t{});
    case RawType::int64:
      return use(std::int64_t{});
    case RawType::uint64:
      return use(std::uint64_t{});
    case RawType::float32:
      return use(float{});
    case RawType::float64:
      break;
  }
  return use(double{});
}

inline std::size_t bytes_of(RawType type) {
  return with_type(type, [](auto zero) { return sizeof zero; });
}

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
  bool from_end = false;    // the pixels are the file's last bytes, whatever the offset
  bool fills_file = false;  // nothing but the pixels is to be there, where they are not deflated
  bool deflated = false;    // gzip or zlib from the offset on
  std::uint64_t skip = 0;   // bytes before the pixels, once inflated
};

// Refuses headers that the data file cannot fulfil; slices are read one at a time.
std::unique_ptr<SliceReader> open_raw(const std::string& path, RawLayout layout);

// Sizes of an image or volume, fastest axis first, into width, height and slices; the axes after
// the second count slices. A DataError where one is no whole number above 0.
void set_sizes(const std::string& path, const std::vector<double>& sizes, FileHeader& header);

// A distance that may be signed, absent (0) or nonsense, as mm; NaN where it says nothing.
float spacing_in_mm(double value, double mm_a_unit);

}  // namespace attune
