#include "tests/import/image_files.h"

#include <cstdio>  // jpeglib.h wants it

#include <itk_jpeg.h>
#include <itk_zlib.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace attune {

std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i & 0xffU);
  return bytes;
}

namespace {

std::string big(std::uint64_t value, std::size_t size) {
  std::string bytes = little(value, size);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

std::string deflated(const std::string& bytes, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 32, '\0');
  std::string in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string gzip(const std::string& bytes) { return deflated(bytes, 15 + 16); }
std::string zlib(const std::string& bytes) { return deflated(bytes, 15); }

std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big(data.size(), 4) + body + big(crc, 4);
}

std::string png(std::uint32_t height, std::uint32_t width, int bits, PngColour colour,
                const std::string& rows, std::size_t row_bytes, const std::string& chunks) {
  std::string filtered;
  for (std::size_t at = 0; at < rows.size(); at += row_bytes)
    filtered += '\0' + rows.substr(at, row_bytes);
  return "\x89PNG\r\n\x1a\n" +
         png_chunk("IHDR", big(width, 4) + big(height, 4) + static_cast<char>(bits) +
                               static_cast<char>(colour) + std::string(3, '\0')) +
         chunks + png_chunk("IDAT", zlib(filtered)) + png_chunk("IEND", "");
}

std::string gray_png(std::uint32_t height, std::uint32_t width,
                     const std::vector<std::uint8_t>& pixels) {
  return png(height, width, 8, PngColour::gray, bytes_of(pixels), width);
}

std::string jpeg(unsigned height, unsigned width, int n_components,
                 const std::vector<std::uint8_t>& pixels, const std::string& markers) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_height = height;
  info.image_width = width;
  info.input_components = n_components;
  info.in_color_space = n_components == 1 ? JCS_GRAYSCALE : n_components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  for (int c = 0; c < info.num_components; ++c)
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> copy = pixels;
  while (info.next_scanline < height) {
    JSAMPROW row =
        copy.data() + std::size_t{info.next_scanline} * width * static_cast<unsigned>(n_components);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(out), size);
  jpeg_destroy_compress(&info);
  std::free(out);
  return bytes.insert(2, markers);
}

std::string jpeg_marker(unsigned char kind, const std::string& data) {
  return std::string{'\xff', static_cast<char>(kind)} + big(data.size() + 2, 2) + data;
}

std::string exif_orientation(unsigned value) {
  const std::string entry = big(0x112, 2) + big(3, 2) + big(1, 4) + big(value, 2) + big(0, 2);
  return jpeg_marker(0xe1,
                     std::string("Exif\0\0MM\0*", 10) + big(8, 4) + big(1, 2) + entry + big(0, 4));
}

std::string dicom_element(unsigned group, unsigned element, const std::string& type,
                          std::string value) {
  if (value.size() % 2 != 0) value += type == "UI" || type[0] == 'O' ? '\0' : ' ';
  const bool is_long = type == "OB" || type == "OW" || type == "SQ" || type == "UN";
  return little(group, 2) + little(element, 2) + type +
         (is_long ? little(0, 2) + little(value.size(), 4) : little(value.size(), 2)) + value;
}

std::string dicom_sequence(unsigned group, unsigned element,
                           const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items)
    all += little(0xfffe, 2) + little(0xe000, 2) + little(item.size(), 4) + item;
  return dicom_element(group, element, "SQ", all);
}

namespace {

// An empty table of offsets, one fragment, the end.
std::string encapsulated(std::string stream) {
  if (stream.size() % 2 != 0) stream += '\0';
  const auto item = [](unsigned kind, std::size_t size) {
    return little(0xfffe, 2) + little(kind, 2) + little(size, 4);
  };
  return little(0x7fe0, 2) + little(0x10, 2) + "OB" + little(0, 2) + little(0xffffffff, 4) +
         item(0xe000, 0) + item(0xe000, stream.size()) + stream + item(0xe0dd, 0);
}

}  // namespace

std::string dicom(const DicomFile& f) {
  const auto number = [](unsigned element, unsigned value) {
    return dicom_element(0x28, element, "US", little(value, 2));
  };
  const auto optional = [](unsigned element, const std::string& value) {
    return value.empty() ? "" : dicom_element(0x28, element, "DS", value);
  };
  const std::string ct = "1.2.840.10008.5.1.4.1.1.2", id = "1.2.3.4";
  const std::string meta = dicom_element(2, 1, "OB", std::string("\0\1", 2)) +
                           dicom_element(2, 2, "UI", ct) + dicom_element(2, 3, "UI", id) +
                           dicom_element(2, 0x10, "UI", f.syntax);
  const std::string start = f.preamble ? std::string(128, '\0') + "DICM" : "";
  const std::string frames =
      f.frames.empty() && f.n_frames > 1 ? std::to_string(f.n_frames) : f.frames;
  const std::string set =
      dicom_element(8, 0x16, "UI", ct) + dicom_element(8, 0x18, "UI", id) +
      dicom_element(8, 0x60, "CS", "CT") + dicom_element(0x10, 0x10, "PN", f.patient) +
      dicom_element(0x20, 0x0d, "UI", id) + dicom_element(0x20, 0x0e, "UI", id) +
      dicom_element(0x20, 0x32, "DS", "0\\0\\0") +
      dicom_element(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0") + number(2, f.n_samples) +
      dicom_element(0x28, 4, "CS", f.photometric) + (f.n_samples > 1 ? number(6, f.planar) : "") +
      (frames.empty() ? "" : dicom_element(0x28, 8, "IS", frames)) + number(0x10, f.height) +
      number(0x11, f.width) + optional(0x30, f.spacing) + number(0x100, f.bits_allocated) +
      number(0x101, f.bits_stored) + number(0x102, f.bits_stored - 1) + number(0x103, f.is_signed) +
      optional(0x1052, f.intercept) + optional(0x1053, f.slope) + f.before_pixels +
      (f.encapsulated ? encapsulated(f.pixels)
                      : dicom_element(0x7fe0, 0x10, f.bits_allocated == 8 ? "OB" : "OW", f.pixels));
  return start + dicom_element(2, 0, "UL", little(meta.size(), 4)) + meta +
         (f.syntax.ends_with(".99") ? deflated(set, -15) : set);
}

std::string nifti(const NiftiFile& f) {
  const bool second = f.version == 2;
  std::string header(second ? 544 : 352, '\0');  // and four bytes: no extensions
  const auto put = [&](std::size_t at, auto value) {
    std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    if (f.big_endian) std::reverse(bytes.begin(), bytes.end());
    header.replace(at, bytes.size(), bytes);
  };
  put(0, std::int32_t{second ? 540 : 348});
  const auto size = [&](std::size_t i, std::int64_t value) {
    if (second) {
      put(16 + 8 * i, value);
    } else {
      put(40 + 2 * i, static_cast<std::int16_t>(value));
    }
  };
  const auto real = [&](std::size_t at_1, std::size_t at_2, double value) {
    if (second) {
      put(at_2, value);
    } else {
      put(at_1, static_cast<float>(value));
    }
  };
  size(0, static_cast<std::int64_t>(f.sizes.size()));
  for (std::size_t i = 0; i < f.sizes.size(); ++i) size(i + 1, f.sizes[i]);
  for (std::size_t i = 0; i < f.spacing.size(); ++i) real(80 + 4 * i, 112 + 8 * i, f.spacing[i]);
  put(second ? 12 : 70, static_cast<std::int16_t>(f.datatype));
  real(112, 176, f.slope);
  real(116, 184, f.intercept);
  if (second) {
    header.replace(4, 8, std::string("n+2\0\r\n\x1a\n", 8));
    put(168, std::int64_t{544});
    put(500, std::int32_t{f.units});
    header.replace(240, f.description.size(), f.description);
  } else {
    header.replace(344, 4, std::string("n+1\0", 4));
    put(108, 352.0F);
    header[123] = static_cast<char>(f.units);
    header.replace(148, f.description.size(), f.description);
  }
  return header + f.pixels;
}

}  // namespace attune
