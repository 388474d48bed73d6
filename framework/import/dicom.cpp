#include <gdcmAttribute.h>
#include <gdcmPixmapReader.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmSequenceOfItems.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "import/byte_source.h"
#include "import/codestream.h"
#include "import/dicom_bytes.h"
#include "import/raw_volume.h"
#include "import/reader.h"

// GDCM itself rather than through ITK, which applies one slope to all frames and tells nothing of
// what it does not apply. Numbers of sections: DICOM PS3.3 and PS3.5.

namespace attune {
namespace {

// JPEG 2000 of an empty frame is a few hundred bytes.
constexpr double kMaxRatio = 20000;

const gdcm::Tag kPixelData(0x7fe0, 0x0010);

// A value as text, such as a decimal string; empty where the element is absent.
std::string text_of(const gdcm::DataSet& set, const gdcm::Tag& tag) {
  const gdcm::DataElement& element = set.GetDataElement(tag);
  const gdcm::ByteValue* value = element.GetByteValue();
  if (value == nullptr || value->GetPointer() == nullptr) return "";
  std::string text(value->GetPointer(), value->GetLength());
  text.resize(std::min(text.size(), text.find('\0')));
  return std::string(trim(text));
}

const gdcm::DataSet* item_of(const gdcm::DataSet& set, const gdcm::Tag& sequence, std::size_t index,
                             gdcm::SmartPointer<gdcm::SequenceOfItems>& keep) {
  if (!set.FindDataElement(sequence)) return nullptr;
  keep = set.GetDataElement(sequence).GetValueAsSQ();
  if (!keep || index >= keep->GetNumberOfItems()) return nullptr;
  return &keep->GetItem(index + 1).GetNestedDataSet();
}

// The value of an image, or in enhanced multi-frame images of a frame: its own functional group or
// the shared one (PS3.3 C.7.6.16).
std::string value_of(const gdcm::DataSet& set, const gdcm::Tag& tag, const gdcm::Tag& macro,
                     std::size_t frame) {
  if (set.FindDataElement(tag)) return text_of(set, tag);
  const gdcm::Tag per_frame(0x5200, 0x9230), shared(0x5200, 0x9229);
  for (const auto& [groups, index] : {std::pair(per_frame, frame), {shared, std::size_t{0}}}) {
    gdcm::SmartPointer<gdcm::SequenceOfItems> outer, inner;
    const gdcm::DataSet* group = item_of(set, groups, index, outer);
    const gdcm::DataSet* values = group ? item_of(*group, macro, 0, inner) : nullptr;
    if (values && values->FindDataElement(tag)) return text_of(*values, tag);
  }
  return "";
}

std::optional<double> decimal(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

class DicomReader : public SliceReader {
 public:
  explicit DicomReader(const std::string& path) : path_(path) {
    check_deflated(path);
    reader_.SetFileName(path.c_str());
    if (!reader_.Read()) refuse();
    header_.format = "DICOM";
    header_.width = image().GetColumns();
    header_.height = image().GetRows();
    header_.n_slices = image().GetNumberOfDimensions() > 2 ? image().GetDimension(2) : 1;
    const gdcm::PixelFormat& format = image().GetPixelFormat();
    const double bits = static_cast<double>(header_.width) * static_cast<double>(header_.height) *
                        static_cast<double>(header_.n_slices) * format.GetSamplesPerPixel() *
                        format.GetBitsAllocated();
    const gdcm::TransferSyntax& syntax = image().GetTransferSyntax();
    const bool packed =
        syntax.IsEncapsulated() || syntax == gdcm::TransferSyntax::DeflatedExplicitVRLittleEndian;
    check_readable();
    check_numbers();
    check_size(path, header_, bits / 8, packed ? kMaxRatio : 1);
    check_frames(bits / 8);
    set_spacing();
  }

  void read(Index slice, Slice& out) override {
    if (buffer_.empty()) decode();
    const std::size_t n = out.gray.size();
    const std::size_t first = static_cast<std::size_t>(slice) * n;
    if (kind_ == gdcm::PhotometricInterpretation::PALETTE_COLOR) {
      look_up(first, out);
      return;
    }
    const gdcm::PixelFormat& format = image().GetPixelFormat();
    using Format = gdcm::PixelFormat;
    static const std::map<Format::ScalarType, RawType> kTypes = {
        {Format::UINT8, RawType::uint8},   {Format::INT8, RawType::int8},
        {Format::UINT16, RawType::uint16}, {Format::INT16, RawType::int16},
        {Format::UINT32, RawType::uint32}, {Format::INT32, RawType::int32}};
    const auto type = kTypes.find(format.GetScalarType());
    if (type != kTypes.end()) {
      with_type(type->second, [&](auto zero) { convert<decltype(zero)>(first, out); });
    } else if (format.GetScalarType() == Format::SINGLEBIT) {
      // The first pixel in the lowest bit (PS3.5, 8.1.1).
      for (std::size_t i = 0; i < n; ++i)
        out.gray[i] = static_cast<float>(
            static_cast<unsigned char>(buffer_[(first + i) / 8]) >> (first + i) % 8 & 1U);
    } else {
      throw DataError(fmt::format("{} has pixels of type {}, which import does not read", path_,
                                  format.GetScalarTypeAsString()));
    }
    rescale(static_cast<std::size_t>(slice), out);
  }

 private:
  const gdcm::Bitmap& image() const { return reader_.GetPixmap(); }
  const gdcm::DataSet& set() const { return reader_.GetFile().GetDataSet(); }

  [[noreturn]] void refuse() const {
    constexpr std::pair<std::uint16_t, const char*> kReal[] = {{0x0008, "float"},
                                                               {0x0009, "double"}};
    for (const auto& [element, type] : kReal)
      ATTUNE_CHECK(!set().FindDataElement(gdcm::Tag(0x7fe0, element)), DataError,
                   "{} is a DICOM file with {} pixels, which import does not read", path_, type);
    if (set().IsEmpty() || set().FindDataElement(kPixelData))
      damaged(path_, "its DICOM header cannot be read");
    throw DataError(
        fmt::format("{} is a DICOM file without pixels, such as a report or a directory, or its "
                    "pixels are cut off: leave it out",
                    path_));
  }

  void check_readable() {
    using Kind = gdcm::PhotometricInterpretation;
    kind_ = image().GetPhotometricInterpretation();
    const bool known = kind_ == Kind::MONOCHROME1 || kind_ == Kind::MONOCHROME2 ||
                       kind_ == Kind::PALETTE_COLOR || kind_ == Kind::RGB || is_ybr();
    const unsigned samples = image().GetPixelFormat().GetSamplesPerPixel();
    ATTUNE_CHECK(known && (samples == 1 || samples == 3), DataError,
                 "{} has pixels of {} samples in {}, which import does not read", path_, samples,
                 kind_.GetString() ? kind_.GetString() : "no colour space");
    // What GDCM gets wrong, measured against other readers.
    const gdcm::TransferSyntax& syntax = image().GetTransferSyntax();
    const unsigned bits = image().GetPixelFormat().GetBitsAllocated();
    ATTUNE_CHECK(!(kind_ == Kind::YBR_FULL_422 && !syntax.IsEncapsulated()) &&
                     !(bits > 16 && syntax == gdcm::TransferSyntax::ExplicitVRBigEndian) &&
                     !(bits > 8 && samples > 1 && syntax == gdcm::TransferSyntax::RLELossless),
                 DataError,
                 "{} stores {} samples of {} bits a pixel as {} in {}, which import does not read: "
                 "save it as RGB or gray, in little endian without compression",
                 path_, samples, bits, kind_.GetString(), syntax.GetString());
    ATTUNE_CHECK(!set().FindDataElement(gdcm::Tag(0x0028, 0x3000)), DataError,
                 "{} has a table of physical values (Modality LUT Sequence), which import does not "
                 "apply: convert it to RescaleSlope and RescaleIntercept",
                 path_);
  }

  bool is_ybr() const {
    using Kind = gdcm::PhotometricInterpretation;
    return kind_ == Kind::YBR_FULL || kind_ == Kind::YBR_FULL_422 || is_transformed();
  }

  // JPEG 2000's own transforms, which its decoder undoes.
  bool is_transformed() const {
    using Kind = gdcm::PhotometricInterpretation;
    return kind_ == Kind::YBR_RCT || kind_ == Kind::YBR_ICT;
  }

  // Whether the first of three components is luma. GDCM converts no colours but JPEG 2000's.
  bool has_luma_first() const {
    const gdcm::SequenceOfFragments* fragments = image().GetDataElement().GetSequenceOfFragments();
    const gdcm::ByteValue* stream = fragments && fragments->GetNumberOfFragments() > 0
                                        ? fragments->GetFragment(0).GetByteValue()
                                        : nullptr;
    if (stream && stream->GetPointer())
      if (const auto told = components_of({stream->GetPointer(), stream->GetLength()}))
        return *told == Components::luma_first;
    return is_ybr() && !is_transformed();
  }

  bool is_signed() const {
    gdcm::Attribute<0x0028, 0x0103> representation;
    representation.SetFromDataSet(set());
    return representation.GetValue() == 1;
  }

  // GDCM takes a frame where there is no number of them, and other bits where these cannot be.
  void check_numbers() const {
    const std::string frames = text_of_present(gdcm::Tag(0x0028, 0x0008));
    const auto n_frames = frames.empty() ? 1 : decimal(frames);
    if (!n_frames || *n_frames < 1)
      damaged(path_, fmt::format("its NumberOfFrames is '{}'", frames));
    gdcm::Attribute<0x0028, 0x0100> allocated;
    gdcm::Attribute<0x0028, 0x0101> stored;
    allocated.SetFromDataSet(set());
    stored.SetFromDataSet(set());
    if (stored.GetValue() > allocated.GetValue())
      damaged(path_, fmt::format("it stores {} bits of a pixel in {}", stored.GetValue(),
                                 allocated.GetValue()));
  }

  // More pixels than the header counts are frames that would be lost.
  void check_frames(double n_bytes) const {
    const gdcm::ByteValue* pixels = image().GetDataElement().GetByteValue();
    if (pixels == nullptr) return;  // encapsulated: its frames are no matter of bytes
    const double left = static_cast<double>(pixels->GetLength()) - n_bytes;
    const double frame = n_bytes / static_cast<double>(header_.n_slices);
    if (left >= 2 && left >= frame)  // a byte evens the length
      damaged(path_,
              fmt::format("it holds pixels of {} frames, and its NumberOfFrames says {}",
                          header_.n_slices + static_cast<Index>(left / frame), header_.n_slices));
  }

  // Row and column spacing of a frame: of the patient where it is known, else at the detector.
  std::array<float, 2> spacing_of(std::size_t frame) const {
    const gdcm::Tag measures(0x0028, 0x9110);
    std::string text = value_of(set(), gdcm::Tag(0x0028, 0x0030), measures, frame);
    if (text.empty()) text = text_of_present(gdcm::Tag(0x0018, 0x1164));
    const auto values = split(text, '\\');
    const auto mm = [&](std::size_t i) { return values.size() == 2 ? decimal(values[i]) : 0; };
    const auto row = mm(0), column = mm(1);
    if (!row || !column || *row <= 0 || *column <= 0)
      return {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
    return {static_cast<float>(*row), static_cast<float>(*column)};
  }

  void set_spacing() {
    constexpr std::uint16_t kFunctionalGroups = 0x5200;
    if (set().FindDataElement(gdcm::Tag(kFunctionalGroups, 0x9230)))
      for (Index i = 0; i < header_.n_slices; ++i)
        header_.slice_spacing.push_back(spacing_of(static_cast<std::size_t>(i)));
    const auto [row, column] = spacing_of(0);
    header_.row_spacing = row;
    header_.column_spacing = column;
  }

  std::string text_of_present(const gdcm::Tag& tag) const {
    return set().FindDataElement(tag) ? text_of(set(), tag) : "";
  }

  void decode() {
    const gdcm::PixelFormat& format = image().GetPixelFormat();
    const auto bits =
        static_cast<std::uint64_t>(header_.height * header_.width * header_.n_slices) *
        format.GetSamplesPerPixel() * format.GetBitsAllocated();
    const bool deflated =
        image().GetTransferSyntax() == gdcm::TransferSyntax::DeflatedExplicitVRLittleEndian;
    if (!deflated && !has_all_pixels(all_bytes(path_), bits / 8))
      damaged(path_, "it ends before its last pixel");
    buffer_.resize(image().GetBufferLength());
    const auto pixels = static_cast<std::size_t>(header_.height * header_.width * header_.n_slices);
    const gdcm::PixelFormat& out = image().GetPixelFormat();
    const std::size_t needed = out.GetScalarType() == gdcm::PixelFormat::SINGLEBIT
                                   ? (pixels + 7) / 8
                                   : pixels * out.GetPixelSize();
    luma_first_ = has_luma_first();
    if (buffer_.size() < needed || !image().GetBuffer(buffer_.data()))
      damaged(path_, "its DICOM pixels cannot be read");
  }

  // Colour by planes has all of a frame's red, then its green, then its blue.
  template <class T>
  void convert(std::size_t first, Slice& out) const {
    const std::size_t samples = image().GetPixelFormat().GetSamplesPerPixel();
    const std::size_t n = out.gray.size();
    const T* in = reinterpret_cast<const T*>(buffer_.data()) + first * samples;
    const bool planes = samples == 3 && image().GetPlanarConfiguration() == 1;
    const std::size_t step = planes ? 1 : samples, next = planes ? n : 1;
    const bool colour = samples == 3 && !luma_first_;
    // JPEG 2000 streams that call themselves unsigned, where the file says signed, come unsigned.
    const double range = std::exp2(image().GetPixelFormat().GetBitsStored());
    const double wraps = is_signed() ? range / 2 : std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < n; ++i, in += step) {
      const auto value = [&](std::size_t sample) { return static_cast<double>(in[sample * next]); };
      const double gray = colour ? luma(value(0), value(1), value(2)) : value(0);
      out.gray[i] = static_cast<float>(gray >= wraps ? gray - range : gray);
    }
  }

  // Colours of a palette, as bytes (PS3.3 C.7.6.3.1.5).
  void look_up(std::size_t first, Slice& out) const {
    const std::size_t n = out.gray.size(), size = image().GetPixelFormat().GetPixelSize();
    std::vector<std::uint8_t> colours(3 * n);
    if (!image().GetLUT().Decode8(reinterpret_cast<char*>(colours.data()), colours.size(),
                                  buffer_.data() + first * size, n * size))
      damaged(path_, "its colour palette cannot be read");
    to_gray(colours.data(), n, 3, 1, 1, out.gray.data());
  }

  // Physical values (PS3.3 C.11.1), or dose (C.8.8.3), which has a factor alone.
  void rescale(std::size_t frame, Slice& out) const {
    const gdcm::Tag macro(0x0028, 0x9145);
    const auto number = [&](const gdcm::Tag& tag, double otherwise) {
      const std::string text = value_of(set(), tag, macro, frame);
      const auto value = text.empty() ? otherwise : decimal(text);
      ATTUNE_CHECK(value, DataError, "{} is damaged: its value of {:04x},{:04x} is '{}'", path_,
                   tag.GetGroup(), tag.GetElement(), text);
      return *value;
    };
    double slope = number(gdcm::Tag(0x0028, 0x1053), 1);
    const double intercept = number(gdcm::Tag(0x0028, 0x1052), 0);
    if (slope == 1 && intercept == 0) slope = number(gdcm::Tag(0x3004, 0x000e), 1);
    if (slope == 0) damaged(path_, "its RescaleSlope is 0, which leaves nothing of the pixels");
    const gdcm::PixelFormat& format = image().GetPixelFormat();
    if (kind_ == gdcm::PhotometricInterpretation::MONOCHROME1) {
      const double extremes = is_signed() ? -1 : std::exp2(format.GetBitsStored()) - 1;
      out.mirror = static_cast<float>(slope * extremes + 2 * intercept);
    }
    if (slope == 1 && intercept == 0) return;
    for (float& x : out.gray) x = static_cast<float>(slope * static_cast<double>(x) + intercept);
  }

  std::string path_;
  gdcm::PixmapReader reader_;  // ImageReader aborts on images without a count of frames
  gdcm::PhotometricInterpretation kind_;
  std::vector<char> buffer_;  // all frames
  bool luma_first_ = false;
};

}  // namespace

std::unique_ptr<SliceReader> open_dicom(const std::string& path) {
  return std::make_unique<DicomReader>(path);
}

}  // namespace attune
