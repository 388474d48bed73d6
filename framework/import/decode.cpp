#include "import/decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "import/byte_source.h"
#include "import/child.h"
#include "import/reader.h"

namespace attune {
namespace {

constexpr double kMaxPixels = 1 << 28;  // of a slice: 16384 x 16384

struct Format {
  bool (*matches)(std::string_view start);
  std::unique_ptr<SliceReader> (*open)(const std::string& path);
};

// PS3.10: 128 bytes of anything, then DICM. Files of old archives begin with the data set: an
// element of group 2 or 8, with its type spelled out or a short length.
bool is_dicom(std::string_view start) {
  constexpr std::string_view kDirectory = "1.2.840.10008.1.3.10";  // DICOMDIR: what a disk holds
  if (start.find(kDirectory) != start.npos) return false;
  if (start.size() >= 132 && start.substr(128, 4) == "DICM") return true;
  if (start.size() < 16) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(start[i]); };
  const bool first = byte(1) == 0 && byte(3) == 0 &&
                     ((byte(0) == 8 && (byte(2) == 0 || byte(2) == 5 || byte(2) == 8 ||
                                        byte(2) == 0x12 || byte(2) == 0x16)) ||
                      (byte(0) == 2 && byte(2) <= 3));
  const std::string_view type = start.substr(4, 2);
  const bool is_explicit =
      type == "UL" || type == "CS" || type == "UI" || type == "OB" || type == "DA";
  const bool is_implicit = byte(4) > 0 && byte(4) <= 64 && byte(4) % 2 == 0 && byte(5) == 0 &&
                           byte(6) == 0 && byte(7) == 0;
  return first && (is_explicit || is_implicit);
}

bool is_nifti(std::string_view start) {
  return (start.size() >= 348 && start.substr(344, 3) == "n+1") ||
         (start.size() >= 540 && start.substr(4, 3) == "n+2");
}

// "Key = value" lines without a magic word.
bool is_metaimage(std::string_view start) {
  constexpr std::string_view kFirst[] = {"ObjectType", "NDims", "Comment", "ID", "Name"};
  const bool key = std::any_of(std::begin(kFirst), std::end(kFirst), [&](std::string_view word) {
    return start.starts_with(word) &&
           start.find_first_not_of(" \t", word.size()) == start.find('=', word.size());
  });
  return key && start.find("NDims") != start.npos;
}

const Format kFormats[] = {
    {[](std::string_view s) { return s.starts_with("\x89PNG\r\n\x1a\n"); }, open_png},
    {[](std::string_view s) { return s.starts_with("\xff\xd8\xff"); }, open_jpeg},
    {is_dicom, open_dicom},
    {is_nifti, open_nifti},
    {[](std::string_view s) { return s.starts_with("NRRD000"); }, open_nrrd},
    {is_metaimage, open_metaimage},
};

// A file's first bytes, of what gzip compresses those that come out of it: a small file may be
// damaged within them, and is told by what is left.
struct Start {
  std::string bytes;
  bool gzip = false;
  std::string damage;  // what stopped inflating
};

Start start_of(const std::string& path) {
  constexpr std::size_t kStart = 2048, kPiece = 4;
  Start start{std::string(kStart, '\0'), false, ""};
  start.bytes.resize(ByteSource(path).read(start.bytes.data(), kStart));
  start.gzip = start.bytes.starts_with("\x1f\x8b");
  if (!start.gzip) return start;
  start.bytes.clear();
  try {
    ByteSource inflated(path, 0, Packing::zlib);
    std::size_t n = kPiece;
    for (char piece[kPiece]; n == kPiece && start.bytes.size() < kStart;) {
      n = inflated.read(piece, kPiece);
      start.bytes.append(piece, n);
    }
  } catch (const DataError& error) {
    start.damage = error.what();
  }
  return start;
}

const Format* format_of(const Start& start) {
  for (const Format& format : kFormats)  // of what gzip compresses, NIfTI alone is an image
    if (format.matches(start.bytes) && (!start.gzip || format.open == open_nifti)) return &format;
  return nullptr;
}

std::unique_ptr<SliceReader> open_image(const std::string& path) {
  const Start start = start_of(path);
  const Format* format = format_of(start);
  if (!format && !start.damage.empty()) throw DataError(start.damage);
  ATTUNE_CHECK(format != nullptr, DataError,
               "{} is no image that can be read: its first bytes are those of neither PNG, JPEG, "
               "DICOM, NIfTI, MetaImage nor NRRD",
               path);
  return format->open(path);
}

std::size_t n_pixels(const FileHeader& header) {
  return static_cast<std::size_t>(header.height * header.width);
}

}  // namespace

void damaged(const std::string& path, const std::string& how) {
  throw DataError(fmt::format("{} is damaged: {}", path, how));
}

void check_size(const std::string& path, const FileHeader& header, double bytes, double ratio) {
  ATTUNE_CHECK(header.width > 0 && header.height > 0 && header.n_slices > 0, DataError,
               "{} has no pixels: {} slices of {} x {}", path, header.n_slices, header.height,
               header.width);
  const auto stored = static_cast<double>(std::filesystem::file_size(path));
  ATTUNE_CHECK(bytes <= ratio * stored, DataError,
               "{} is damaged: it says that it has {} slices of {} x {} pixels, which its {} bytes "
               "cannot hold",
               path, header.n_slices, header.height, header.width, stored);
  const double pixels = static_cast<double>(header.width) * static_cast<double>(header.height);
  ATTUNE_CHECK(pixels <= kMaxPixels, DataError,
               "{} has slices of {} x {} pixels; import takes at most {} pixels a slice: make it "
               "smaller, or cut it into tiles",
               path, header.height, header.width, kMaxPixels);
}

bool is_image(const std::string& path) { return format_of(start_of(path)) != nullptr; }

FileHeader read_header(const std::string& path) {
  FileHeader header;
  ChildStream child(path, [&](const ChildStream::Sink& sink) {
    header = open_image(path)->header();
    const FileFacts& facts = header;
    const std::size_t n = header.slice_spacing.size();
    sink(&facts, sizeof facts);
    sink(&n, sizeof n);
    sink(header.slice_spacing.data(), n * sizeof header.slice_spacing[0]);
  });
  FileFacts& facts = header;
  std::size_t n = 0;
  child.read(&facts, sizeof facts);
  child.read(&n, sizeof n);
  header.slice_spacing.resize(n);
  child.read(header.slice_spacing.data(), n * sizeof header.slice_spacing[0]);
  child.finish();
  return header;
}

void read_slices(const std::string& path, const FileHeader& header,
                 const std::function<void(Slice&)>& take) {
  Slice slice;
  slice.gray.resize(n_pixels(header));
  ChildStream child(path, [&](const ChildStream::Sink& sink) {
    const auto reader = open_image(path);
    const FileHeader& now = reader->header();
    ATTUNE_CHECK(
        now.n_slices == header.n_slices && now.height == header.height && now.width == header.width,
        DataError, "{} changed while it was being imported", path);
    for (Index i = 0; i < header.n_slices; ++i) {
      reader->read(i, slice);
      for (const float x : slice.gray)
        ATTUNE_CHECK(std::isfinite(x), DataError, "{} holds NaN or infinity", path);
      if (i + 1 == header.n_slices) reader->finish();
      sink(&slice.mirror, sizeof slice.mirror);
      sink(slice.gray.data(), slice.gray.size() * sizeof(float));
    }
  });
  for (Index i = 0; i < header.n_slices; ++i) {
    child.read(&slice.mirror, sizeof slice.mirror);
    child.read(slice.gray.data(), slice.gray.size() * sizeof(float));
    take(slice);
  }
  child.finish();
}

}  // namespace attune
