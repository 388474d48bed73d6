#include "import/whole.h"

#include <itk_zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

namespace attune {
namespace {

std::string all_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
T number_at(const char* bytes, bool swapped) {
  std::array<char, sizeof(T)> own;
  std::memcpy(own.data(), bytes, sizeof(T));
  if (swapped) std::reverse(own.begin(), own.end());
  T value;
  std::memcpy(&value, own.data(), sizeof(T));
  return value;
}

template <class T>
bool all_finite(const std::vector<char>& bytes, std::size_t from, bool swapped) {
  for (std::size_t at = from; at + sizeof(T) <= bytes.size(); at += sizeof(T))
    if (!std::isfinite(number_at<T>(bytes.data() + at, swapped))) return false;
  return true;
}

// An element of DICOM's pixel data whose length stands in these bytes: PS3.5, section 7.1. `at` is
// behind its tag.
bool pixels_end_in_file(const std::string& bytes, std::size_t at, bool big, std::uint64_t n_bytes) {
  const std::string_view vr = std::string_view(bytes).substr(at, 2);
  if (vr == "OB" || vr == "OW") at += 4;  // explicit: the length follows two reserved bytes
  if (at + 4 > bytes.size()) return false;
  const auto length = number_at<std::uint32_t>(bytes.data() + at, big);
  constexpr std::uint32_t kEncapsulated = 0xffffffffU;
  if (length == kEncapsulated) return bytes.find("\xfe\xff\xdd\xe0", at) != std::string::npos;
  return length >= n_bytes && at + 4 + length <= bytes.size();
}

}  // namespace

// The marker of the end must follow the start of a scan.
Content jpeg_content(const std::string& path) {
  const std::string bytes = all_bytes(path);
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == '\xff' && bytes[at + 1] != '\xda')
    at += 2 + number_at<std::uint16_t>(bytes.data() + at + 2, true);
  const bool ends = at < bytes.size() && bytes.find("\xff\xd9", at) != std::string::npos;
  return ends ? Content::whole : Content::cut_short;
}

// The tag's bytes may also stand in other elements: one place that fits is enough.
Content dicom_content(const std::string& path, std::uint64_t n_bytes) {
  const std::string bytes = all_bytes(path);
  constexpr std::size_t kMetaEnds = 2048;
  constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";
  if (std::string_view(bytes).substr(0, kMetaEnds).find(kDeflated) != std::string_view::npos)
    return Content::whole;  // inflating it would tell
  for (const bool big : {false, true}) {
    const std::string_view tag(big ? "\x7f\xe0\x00\x10" : "\xe0\x7f\x10\x00", 4);
    for (std::size_t at = bytes.find(tag); at != std::string::npos; at = bytes.find(tag, at + 1))
      if (pixels_end_in_file(bytes, at + tag.size(), big, n_bytes)) return Content::whole;
  }
  return Content::cut_short;
}

// Places in the header of 348 bytes: nifti1.h, the struct nifti_1_header.
Content nifti_content(const std::string& path) {
  constexpr std::size_t kHeader = 348, kDim = 40, kDatatype = 70, kBitpix = 72, kVoxOffset = 108;
  constexpr std::int16_t kFloat32 = 16, kFloat64 = 64;
  // gzip's reader takes plain files as they are.
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::vector<char> bytes(kHeader);
  const auto fill = [&](std::size_t from) {
    while (from < bytes.size()) {
      const std::size_t most = std::min(bytes.size() - from, std::size_t{1} << 20);
      const int n = gzread(file.get(), bytes.data() + from, static_cast<unsigned>(most));
      if (n <= 0) return false;
      from += static_cast<std::size_t>(n);
    }
    return true;
  };
  if (!file || !fill(0)) return Content::cut_short;
  const bool swapped = number_at<std::int32_t>(bytes.data(), false) != kHeader;
  const auto small = [&](std::size_t at) {
    return number_at<std::int16_t>(bytes.data() + at, swapped);
  };
  std::size_t size = static_cast<std::size_t>(std::max<int>(0, small(kBitpix))) / 8;
  for (std::size_t axis = 1; axis <= 7 && static_cast<int>(axis) <= small(kDim); ++axis)
    size *= static_cast<std::size_t>(std::max<int>(1, small(kDim + 2 * axis)));
  const auto start = number_at<float>(bytes.data() + kVoxOffset, swapped);
  const std::size_t first =
      start > kHeader && start < 1e9F ? static_cast<std::size_t>(start) : kHeader;
  const std::int16_t type = small(kDatatype);
  bytes.resize(first + size);
  if (!fill(kHeader)) return Content::cut_short;
  // To the end: there gzip compares its checksum.
  char rest[4096];
  int n = 1;
  while (n > 0) n = gzread(file.get(), rest, sizeof rest);
  int error = Z_OK;
  gzerror(file.get(), &error);
  if (n < 0 || error == Z_BUF_ERROR) return Content::cut_short;
  const bool finite = type == kFloat32   ? all_finite<float>(bytes, first, swapped)
                      : type == kFloat64 ? all_finite<double>(bytes, first, swapped)
                                         : true;
  return finite ? Content::whole : Content::not_finite;
}

}  // namespace attune
