#include "import/raw_volume.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "import/byte_source.h"

namespace attune {
namespace {

constexpr double kMaxDeflate = 1100;         // deflate shrinks by at most 1032
constexpr std::size_t kMaxExcess = 1 << 20;  // bytes behind the last pixel

template <class T>
void convert(std::vector<char>& bytes, const RawLayout& layout, std::vector<float>& gray) {
  if (layout.big_endian != (std::endian::native == std::endian::big))
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(T))
      std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at + sizeof(T)));
  const double opaque =
      std::is_floating_point_v<T> ? 1 : static_cast<double>(std::numeric_limits<T>::max());
  to_gray(reinterpret_cast<const T*>(bytes.data()), gray.size(), layout.n_components, opaque, 1,
          gray.data());
}

class RawReader : public SliceReader {
 public:
  RawReader(const std::string& path, RawLayout layout) : path_(path), layout_(std::move(layout)) {
    header_ = layout_.header;
    const double per_slice = static_cast<double>(header_.height) *
                             static_cast<double>(header_.width) *
                             static_cast<double>(layout_.n_components * bytes_of(layout_.type));
    const double bytes = per_slice * static_cast<double>(header_.n_slices);
    const auto stored = static_cast<double>(std::filesystem::file_size(layout_.data_file));
    const auto offset = layout_.from_end ? 0 : static_cast<double>(layout_.offset);
    ATTUNE_CHECK(bytes <= (layout_.deflated ? kMaxDeflate * stored : stored - offset), DataError,
                 "{} is damaged: {} ends before the last pixel of {} slices of {} x {}", path,
                 layout_.data_file == path ? "it" : layout_.data_file, header_.n_slices,
                 header_.height, header_.width);
    ATTUNE_CHECK(!layout_.fills_file || layout_.deflated || bytes == stored, DataError,
                 "{} is damaged, or not of this header: {} has {} bytes, and {} slices of {} x {} "
                 "are {}",
                 path, layout_.data_file, stored, header_.n_slices, header_.height, header_.width,
                 bytes);
    check_size(path, header_, 0, 1);
    ATTUNE_CHECK(
        std::isfinite(layout_.slope) && std::isfinite(layout_.intercept) && layout_.slope != 0,
        DataError, "{} scales its values by {} and {}: no numbers, or all to one", path,
        layout_.slope, layout_.intercept);
    bytes_.resize(static_cast<std::size_t>(per_slice));
    if (layout_.from_end) layout_.offset = static_cast<std::uint64_t>(stored - bytes);
  }

  void read(Index, Slice& out) override {
    if (!source_) open();
    if (source_->read(bytes_.data(), bytes_.size()) != bytes_.size())
      damaged(path_, "it ends before its last pixel");
    with_type(layout_.type, [&](auto zero) { convert<decltype(zero)>(bytes_, layout_, out.gray); });
    if (layout_.slope == 1 && layout_.intercept == 0) return;
    for (float& x : out.gray) x = static_cast<float>(layout_.slope * x + layout_.intercept);
  }

  // gzip compares its checksum at the end, which must be near.
  void finish() override {
    if (!layout_.deflated) return;
    std::vector<char> excess(kMaxExcess);
    if (source_->read(excess.data(), excess.size()) == excess.size())
      damaged(path_, "its compressed data goes on behind its last pixel");
  }

 private:
  void open() {
    source_ = std::make_unique<ByteSource>(layout_.data_file, layout_.offset,
                                           layout_.deflated ? Packing::zlib : Packing::none);
    std::vector<char> skipped(std::size_t{1} << 16);
    for (std::uint64_t left = layout_.skip; left > 0;) {
      const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(left, skipped.size()));
      if (source_->read(skipped.data(), step) != step)
        damaged(path_, "it ends before its first pixel");
      left -= step;
    }
  }

  std::string path_;
  RawLayout layout_;
  std::unique_ptr<ByteSource> source_;
  std::vector<char> bytes_;  // of a slice
};

}  // namespace

std::unique_ptr<SliceReader> open_raw(const std::string& path, RawLayout layout) {
  return std::make_unique<RawReader>(path, std::move(layout));
}

void set_sizes(const std::string& path, const std::vector<double>& sizes, FileHeader& header) {
  constexpr double kMost = 1e9;  // an axis, and all slices
  double slices = 1;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    const double size = sizes[axis];
    ATTUNE_CHECK(size >= 1 && size <= kMost && std::floor(size) == size, DataError,
                 "{} is damaged: its axis {} has {} pixels", path, axis + 1, size);
    if (axis >= 2) slices *= size;
  }
  ATTUNE_CHECK(!sizes.empty() && slices <= kMost, DataError, "{} is damaged: it has {} slices",
               path, sizes.empty() ? 0 : slices);
  header.width = static_cast<Index>(sizes[0]);
  header.height = sizes.size() > 1 ? static_cast<Index>(sizes[1]) : 1;
  header.n_slices = static_cast<Index>(slices);
}

float spacing_in_mm(double value, double mm_a_unit) {
  const auto mm = static_cast<float>(std::abs(value) * mm_a_unit);
  return std::isfinite(mm) && mm > 0 ? mm : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace attune
