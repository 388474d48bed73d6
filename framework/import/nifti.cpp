#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "import/byte_source.h"
#include "import/raw_volume.h"

// Places in the headers: nifti1.h and nifti2.h of nifti.nimh.nih.gov.

namespace attune {
namespace {

constexpr std::size_t kHeader1 = 348, kHeader2 = 540;

class Fields {
 public:
  Fields(std::string bytes, bool big_endian) : bytes_(std::move(bytes)), big_(big_endian) {}
  template <class T>
  T at(std::size_t place) const {
    char own[sizeof(T)];
    std::memcpy(own, bytes_.data() + place, sizeof(T));
    if (big_ != (std::endian::native == std::endian::big)) std::reverse(own, own + sizeof(T));
    return std::bit_cast<T>(own);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  bool big_;
};

// What both versions say, in numbers that hold either.
struct Header {
  std::vector<double> dim;  // [8], the first says how many follow
  double column_spacing, row_spacing, vox_offset, slope, intercept;
  int datatype, bitpix, units;
};

Header header_1(const Fields& f) {
  Header h{{},
           f.at<float>(80),
           f.at<float>(84),
           f.at<float>(108),
           f.at<float>(112),
           f.at<float>(116),
           f.at<std::int16_t>(70),
           f.at<std::int16_t>(72),
           f.at<std::uint8_t>(123)};
  for (std::size_t i = 0; i < 8; ++i) h.dim.push_back(f.at<std::int16_t>(40 + 2 * i));
  return h;
}

Header header_2(const Fields& f) {
  Header h{{},
           f.at<double>(112),
           f.at<double>(120),
           static_cast<double>(f.at<std::int64_t>(168)),
           f.at<double>(176),
           f.at<double>(184),
           f.at<std::int16_t>(12),
           f.at<std::int16_t>(14),
           f.at<std::int32_t>(500)};
  for (std::size_t i = 0; i < 8; ++i)
    h.dim.push_back(static_cast<double>(f.at<std::int64_t>(16 + 8 * i)));
  return h;
}

// DT_RGB24 and DT_RGBA32 are colours of bytes.
const std::map<int, std::pair<RawType, std::size_t>> kTypes = {
    {2, {RawType::uint8, 1}},    {4, {RawType::int16, 1}},     {8, {RawType::int32, 1}},
    {16, {RawType::float32, 1}}, {64, {RawType::float64, 1}},  {128, {RawType::uint8, 3}},
    {256, {RawType::int8, 1}},   {512, {RawType::uint16, 1}},  {768, {RawType::uint32, 1}},
    {1024, {RawType::int64, 1}}, {1280, {RawType::uint64, 1}}, {2304, {RawType::uint8, 4}}};

// xyzt_units: the lowest three bits. Unknown counts as mm, as everybody reads it.
double mm_a_unit(int units) {
  switch (units & 7) {
    case 1:
      return 1000;
    case 3:
      return 0.001;
    default:
      return 1;
  }
}

}  // namespace

std::unique_ptr<SliceReader> open_nifti(const std::string& path) {
  std::string start(2, '\0');
  ByteSource(path).read(start.data(), start.size());
  const bool gzip = start == "\x1f\x8b";
  start.assign(kHeader2, '\0');
  ByteSource(path, 0, gzip ? Packing::zlib : Packing::none).read(start.data(), start.size());
  // The version by its magic, the order of bytes by the header's own size.
  const bool second = start.compare(4, 3, "n+2") == 0;
  const Fields little(start, false);
  const bool big = little.at<std::int32_t>(0) != static_cast<int>(second ? kHeader2 : kHeader1);
  const Fields fields(start, big);
  const Header h = second ? header_2(fields) : header_1(fields);

  RawLayout layout;
  layout.header.format = "NIfTI";
  if (!(h.dim[0] >= 1 && h.dim[0] <= 7)) damaged(path, fmt::format("it has {} axes", h.dim[0]));
  set_sizes(path, {h.dim.begin() + 1, h.dim.begin() + 1 + static_cast<int>(h.dim[0])},
            layout.header);
  layout.header.column_spacing = spacing_in_mm(h.column_spacing, mm_a_unit(h.units));
  layout.header.row_spacing =
      h.dim[0] > 1 ? spacing_in_mm(h.row_spacing, mm_a_unit(h.units)) : layout.header.row_spacing;
  const auto type = kTypes.find(h.datatype);
  ATTUNE_CHECK(type != kTypes.end(), DataError,
               "{} has pixels of NIfTI type {}, which import does not read: convert them to a real "
               "or whole number type",
               path, h.datatype);
  std::tie(layout.type, layout.n_components) = type->second;
  const std::size_t bits = 8 * layout.n_components * bytes_of(layout.type);
  if (h.bitpix != 0 && h.bitpix != static_cast<int>(bits))
    damaged(path, fmt::format("its type {} has {} bits a pixel, and it says {}", h.datatype, bits,
                              h.bitpix));
  layout.big_endian = big;
  if (h.slope != 0) {  // 0: not scaled
    layout.slope = h.slope;
    layout.intercept = h.intercept;
  }
  // The header and four bytes that say whether extensions follow: where the pixels start unless the
  // header says otherwise, as nibabel reads it.
  const auto least = static_cast<double>(second ? kHeader2 : kHeader1);
  const double start_of_pixels = h.vox_offset == 0 ? least + 4 : h.vox_offset;
  if (!(start_of_pixels >= least && start_of_pixels < 1e12) ||
      std::floor(start_of_pixels) != start_of_pixels)
    damaged(path, fmt::format("its pixels start at byte {}", h.vox_offset));
  layout.data_file = path;
  layout.deflated = gzip;
  (gzip ? layout.skip : layout.offset) = static_cast<std::uint64_t>(start_of_pixels);
  return open_raw(path, std::move(layout));
}

}  // namespace attune
