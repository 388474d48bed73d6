#include "import/decode.h"

#include <itkGDCMImageIO.h>
#include <itkJPEGImageIO.h>
#include <itkMetaDataObject.h>
#include <itkNiftiImageIO.h>
#include <itkPNGImageIO.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "import/child.h"
#include "import/whole.h"

namespace attune {
namespace {

// Compressed images shrink by at most about a thousand; a header that claims more lies.
constexpr double kMaxRatio = 2000;
constexpr double kMaxPixels = 1 << 30;

std::string first_bytes(const std::string& path, std::size_t count) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(count, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

struct Format {
  const char* name;
  bool display;
  bool (*matches)(const std::string& start);
  itk::ImageIOBase::Pointer (*make)();
};

template <class IO>
itk::ImageIOBase::Pointer make() {
  return itk::ImageIOBase::Pointer(IO::New().GetPointer());
}

const Format kFormats[] = {
    {"PNG", true, [](const std::string& s) { return s.starts_with("\x89PNG\r\n\x1a\n"); },
     make<itk::PNGImageIO>},
    {"JPEG", true, [](const std::string& s) { return s.starts_with("\xff\xd8\xff"); },
     make<itk::JPEGImageIO>},
    {"DICOM", false,
     [](const std::string& s) { return s.size() >= 132 && s.compare(128, 4, "DICM") == 0; },
     make<itk::GDCMImageIO>},
    // Single-file NIfTI-1, or anything compressed by gzip, which NIfTI's own reader then judges.
    {"NIfTI", false,
     [](const std::string& s) {
       return s.starts_with("\x1f\x8b") ||
              (s.size() >= 348 && std::memcmp(s.data() + 344, "n+1", 4) == 0);
     },
     make<itk::NiftiImageIO>},
};

const Format* format_of(const std::string& path) {
  const std::string start = first_bytes(path, 352);
  for (const Format& format : kFormats)
    if (format.matches(start)) return &format;
  return nullptr;
}

struct Opened {
  ImageHeader header;
  itk::ImageIOBase::Pointer io;
};

Opened open_image(const std::string& path) {
  const Format* format = format_of(path);
  ATTUNE_CHECK(format != nullptr, DataError,
               "{} is no image that can be read: its first bytes are those of neither PNG, JPEG, "
               "DICOM nor NIfTI",
               path);
  Opened opened;
  opened.io = format->make();
  opened.io->SetFileName(path);
  try {
    // Not CanReadFile, which goes by the name's ending.
    opened.io->ReadImageInformation();
  } catch (const itk::ExceptionObject&) {
    throw DataError(
        fmt::format("{} is a damaged {} file: its header cannot be read", path, format->name));
  }
  const itk::ImageIOBase& io = *opened.io;
  for (unsigned axis = 2; axis < io.GetNumberOfDimensions(); ++axis)
    ATTUNE_CHECK(io.GetDimensions(axis) <= 1, DataError,
                 "{} is a volume of {} slices: import takes single slices, save them one by one",
                 path, io.GetDimensions(axis));
  ImageHeader& header = opened.header;
  header.format = format->name;
  header.display = format->display;
  header.width = static_cast<Index>(io.GetDimensions(0));
  header.height = io.GetNumberOfDimensions() > 1 ? static_cast<Index>(io.GetDimensions(1)) : 1;
  const double pixels = static_cast<double>(header.width) * static_cast<double>(header.height);
  ATTUNE_CHECK(header.width > 0 && header.height > 0, DataError, "{} has {} x {} pixels", path,
               header.height, header.width);
  const auto bytes = static_cast<double>(std::filesystem::file_size(path));
  const double declared =
      pixels * static_cast<double>(io.GetComponentSize()) * io.GetNumberOfComponents();
  ATTUNE_CHECK(pixels <= kMaxPixels && declared <= kMaxRatio * bytes, DataError,
               "{} says that it has {} x {} pixels, which its {} bytes cannot hold", path,
               header.height, header.width, bytes);
  header.eight_bit =
      header.display && io.GetComponentType() == itk::ImageIOBase::IOComponentType::UCHAR;
  const itk::MetaDataDictionary& tags = io.GetMetaDataDictionary();
  const bool has_spacing =
      header.format == "NIfTI" || tags.HasKey("0028|0030") || tags.HasKey("0018|1164");
  if (!header.display && has_spacing) {
    header.column_spacing = static_cast<float>(io.GetSpacing(0));
    header.row_spacing = static_cast<float>(io.GetSpacing(1));
  }
  std::string photometric;
  itk::ExposeMetaData(tags, "0028|0004", photometric);
  ATTUNE_CHECK(photometric.find("MONOCHROME1") == std::string::npos, DataError,
               "{} is stored inverted (MONOCHROME1): convert it to MONOCHROME2, for instance with "
               "dcmj2pnm or pydicom",
               path);
  return opened;
}

Content content_of(const std::string& path, const ImageHeader& header,
                   const itk::MetaDataDictionary& tags) {
  if (header.format == "JPEG") return jpeg_content(path);
  if (header.format == "NIfTI") return nifti_content(path);
  if (header.format != "DICOM") return Content::whole;  // PNG's reader tells by itself
  const auto tag = [&tags](const char* name, int otherwise) {
    std::string text;
    if (!itk::ExposeMetaData(tags, name, text)) return otherwise;
    return std::max(1, std::atoi(text.c_str()));
  };
  const auto bits = static_cast<std::uint64_t>(header.height * header.width) *
                    static_cast<std::uint64_t>(tag("0028|0002", 1)) *
                    static_cast<std::uint64_t>(tag("0028|0100", 8));
  return dicom_content(path, bits / 8);
}

template <class Component>
void to_gray(const void* buffer, std::size_t components, double full, std::vector<float>& out) {
  const auto* in = static_cast<const Component*>(buffer);
  const auto value = [full](Component c) { return static_cast<double>(c) / full; };
  for (float& gray : out) {
    double g = components < 3 ? value(in[0])
                              : 0.299 * value(in[0]) + 0.587 * value(in[1]) + 0.114 * value(in[2]);
    // Gray + alpha, or colour + alpha: on black, alpha is a factor.
    if (components == 2 || components == 4) g *= value(in[components - 1]);
    gray = static_cast<float>(g);
    in += components;
  }
}

void decode(const std::string& path, const ImageHeader& header, std::vector<float>& out) {
  using Component = itk::ImageIOBase::IOComponentType;
  const Opened opened = open_image(path);
  itk::ImageIOBase& io = *opened.io;
  ATTUNE_CHECK(opened.header.height == header.height && opened.header.width == header.width,
               DataError, "{} changed while it was being imported", path);
  const Content content = content_of(path, header, io.GetMetaDataDictionary());
  ATTUNE_CHECK(content != Content::cut_short, DataError,
               "{} is a damaged {} file: it ends before its last pixel", path, header.format);
  ATTUNE_CHECK(content != Content::not_finite, DataError, "{} holds NaN or infinity", path);
  itk::ImageIORegion region(io.GetNumberOfDimensions());
  for (unsigned axis = 0; axis < io.GetNumberOfDimensions(); ++axis)
    region.SetSize(axis, io.GetDimensions(axis));
  io.SetIORegion(region);
  std::vector<char> buffer(static_cast<std::size_t>(io.GetImageSizeInBytes()));
  try {
    io.Read(buffer.data());
  } catch (const std::exception&) {
    throw DataError(
        fmt::format("{} is a damaged {} file: its pixels cannot be read", path, header.format));
  }

  out.resize(static_cast<std::size_t>(header.height * header.width));
  const std::size_t components = io.GetNumberOfComponents();
  switch (io.GetComponentType()) {
    case Component::UCHAR:
      to_gray<unsigned char>(buffer.data(), components, header.display ? 255 : 1, out);
      break;
    case Component::USHORT:
      to_gray<unsigned short>(buffer.data(), components, header.display ? 65535 : 1, out);
      break;
    case Component::CHAR:
      to_gray<signed char>(buffer.data(), components, 1, out);
      break;
    case Component::SHORT:
      to_gray<short>(buffer.data(), components, 1, out);
      break;
    case Component::UINT:
      to_gray<unsigned int>(buffer.data(), components, 1, out);
      break;
    case Component::INT:
      to_gray<int>(buffer.data(), components, 1, out);
      break;
    case Component::FLOAT:
      to_gray<float>(buffer.data(), components, 1, out);
      break;
    case Component::DOUBLE:
      to_gray<double>(buffer.data(), components, 1, out);
      break;
    default:
      throw DataError(
          fmt::format("{} has pixels of type {}, which import does not read", path,
                      itk::ImageIOBase::GetComponentTypeAsString(io.GetComponentType())));
  }
  for (float x : out) ATTUNE_CHECK(std::isfinite(x), DataError, "{} holds NaN or infinity", path);
}

// What crosses from the child that reads a header.
struct RawHeader {
  Index height, width;
  float row_spacing, column_spacing;
  bool display, eight_bit;
};

}  // namespace

bool is_image(const std::string& path) { return format_of(path) != nullptr; }

ImageHeader read_header(const std::string& path) {
  std::vector<RawHeader> raw;
  in_child(path, raw, 1, [&](std::vector<RawHeader>& out) {
    const ImageHeader h = open_image(path).header;
    out.push_back({h.height, h.width, h.row_spacing, h.column_spacing, h.display, h.eight_bit});
  });
  const RawHeader& h = raw.front();
  return {format_of(path)->name, h.height,  h.width,    h.row_spacing,
          h.column_spacing,      h.display, h.eight_bit};
}

void read_gray(const std::string& path, const ImageHeader& header, std::vector<float>& out) {
  in_child(path, out, static_cast<std::size_t>(header.height * header.width),
           [&](std::vector<float>& gray) { decode(path, header, gray); });
}

}  // namespace attune
