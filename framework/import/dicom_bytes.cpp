#include "import/dicom_bytes.h"

#include <gdcmFileMetaInformation.h>
#include <gdcmPreamble.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "import/byte_source.h"
#include "import/reader.h"

namespace attune {
namespace {

template <class T>
T number_at(const char* bytes, bool swapped) {
  char own[sizeof(T)];
  std::memcpy(own, bytes, sizeof(T));
  if (swapped) std::reverse(own, own + sizeof(T));
  return std::bit_cast<T>(own);
}

// An element of pixel data whose length stands in these bytes (PS3.5, 7.1). `at` is behind its tag.
bool pixels_end_in_file(const std::string& bytes, std::size_t at, bool big, std::uint64_t n_bytes) {
  const std::string_view type = std::string_view(bytes).substr(at, 2);
  if (type == "OB" || type == "OW") at += 4;  // explicit: the length follows two reserved bytes
  if (at + 4 > bytes.size()) return false;
  const auto length = number_at<std::uint32_t>(bytes.data() + at, big);
  constexpr std::uint32_t kEncapsulated = 0xffffffffU;
  if (length == kEncapsulated) return bytes.find("\xfe\xff\xdd\xe0", at) != std::string::npos;
  return length >= n_bytes && at + 4 + length <= bytes.size();
}

// Where the data set begins: behind the meta information, if there is any.
std::uint64_t data_set_start(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  gdcm::FileMetaInformation meta;
  try {
    gdcm::Preamble preamble;
    try {
      preamble.Read(file);
    } catch (const std::exception&) {
      file.clear();
      file.seekg(0);
    }
    meta.ReadCompat(file);
  } catch (const std::exception&) {
    damaged(path, "its DICOM header cannot be read");
  }
  return static_cast<std::uint64_t>(file.tellg());
}

}  // namespace

// The tag's bytes may also stand in other elements: one place that fits is enough.
bool has_all_pixels(const std::string& bytes, std::uint64_t n_bytes) {
  for (const bool big : {false, true}) {
    const std::string_view tag(big ? "\x7f\xe0\x00\x10" : "\xe0\x7f\x10\x00", 4);
    for (std::size_t at = bytes.find(tag); at != std::string::npos; at = bytes.find(tag, at + 1))
      if (pixels_end_in_file(bytes, at + tag.size(), big, n_bytes)) return true;
  }
  return false;
}

void check_deflated(const std::string& path) {
  constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";
  constexpr std::size_t kStart = 4096;
  // Masks shrink most, and stay far below.
  constexpr std::uint64_t kLeast = 256U << 20U, kMaxRatio = 20;
  std::vector<char> piece(std::size_t{1} << 16);
  const std::size_t n = ByteSource(path, 0).read(piece.data(), kStart);
  if (std::string_view(piece.data(), n).find(kDeflated) == std::string_view::npos) return;
  const std::uint64_t most = kLeast + kMaxRatio * std::filesystem::file_size(path);
  ByteSource source(path, data_set_start(path), Packing::deflate);
  std::uint64_t size = 0;
  for (std::size_t got = piece.size(); got == piece.size(); size += got) {
    got = source.read(piece.data(), piece.size());
    if (size + got > most)
      damaged(path, fmt::format("it inflates to more than {} MiB, which no image of its size does",
                                most >> 20U));
  }
}

}  // namespace attune
