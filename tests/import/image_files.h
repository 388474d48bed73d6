#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Image files as bytes, written here from the formats' own documents rather than by the libraries
// that read them.

namespace attune {

// `size` bytes of a number, least significant first.
std::string little(std::uint64_t value, std::size_t size);
// Numbers as they lie in memory on this machine.
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
void write_file(const std::string& path, const std::string& bytes);
std::string gzip(const std::string& bytes);
std::string zlib(const std::string& bytes);

// PNG: ISO/IEC 15948. `rows` are the packed pixels of all rows, each row_bytes long.
enum class PngColour { gray = 0, rgb = 2, palette = 3, gray_alpha = 4, rgba = 6 };
std::string png_chunk(const std::string& type, const std::string& data);
std::string png(std::uint32_t height, std::uint32_t width, int bits, PngColour colour,
                const std::string& rows, std::size_t row_bytes,
                const std::string& chunks_before_pixels = "");
std::string gray_png(std::uint32_t height, std::uint32_t width,
                     const std::vector<std::uint8_t>& pixels);

// JPEG by libjpeg, without loss beyond rounding of flat blocks (quality 100); `markers` go behind
// its own first one.
std::string jpeg(unsigned height, unsigned width, int n_components,
                 const std::vector<std::uint8_t>& pixels, const std::string& markers = "");
std::string jpeg_marker(unsigned char kind, const std::string& data);
// APP1 that says EXIF orientation `value`.
std::string exif_orientation(unsigned value);

// DICOM, explicit little endian: PS3.5 and PS3.10.
std::string dicom_element(unsigned group, unsigned element, const std::string& type,
                          std::string value);
std::string dicom_sequence(unsigned group, unsigned element, const std::vector<std::string>& items);
struct DicomFile {
  unsigned height = 1, width = 1, n_frames = 1;
  std::string pixels = {};  // raw
  std::string photometric = "MONOCHROME2";
  unsigned bits_allocated = 16, bits_stored = 16, is_signed = 1;
  unsigned n_samples = 1, planar = 0;
  std::string slope = "1", intercept = "0";  // empty: absent
  std::string spacing = "0.7\\0.9";          // empty: absent
  std::string patient = "Doe^Jane";
  std::string before_pixels = {};  // further elements, of groups above 0028
  bool preamble = true;
  std::string syntax = "1.2.840.10008.1.2.1";  // with .99 the data set is deflated
  std::string frames = {};                     // NumberOfFrames; empty: n_frames, if not 1
  bool encapsulated = false;                   // pixels are one compressed stream (PS3.5, A.4)
};
std::string dicom(const DicomFile& file);

// NIfTI-1 and -2 in one file.
struct NiftiFile {
  int version = 1;
  std::vector<std::int64_t> sizes = {};
  int datatype = 16;
  std::string pixels = {};
  std::vector<double> spacing = {2, 3, 4};
  double slope = 0, intercept = 0;
  int units = 2;
  std::string description = {};
  bool big_endian = false;  // the header's; pixels are taken as they are
};
std::string nifti(const NiftiFile& file);

}  // namespace attune
