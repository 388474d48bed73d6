#include <cstdio>  // jpeglib.h wants it

#include <itk_jpeg.h>

#include <csetjmp>
#include <optional>

#include "base/error.h"
#include "import/byte_source.h"
#include "import/reader.h"

namespace attune {
namespace {

constexpr double kMaxRatio = 2000;  // of what DC-only progressive scans shrink flat images by

// libjpeg reports through C functions and leaves by longjmp: nothing with a destructor lives in
// the functions that call it.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  bool corrupt = false;  // pixels that libjpeg made up
};

[[noreturn]] void leave(j_common_ptr info) {
  std::longjmp(static_cast<Decoder*>(info->client_data)->escape, 1);
}

void note(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  const bool harmless =
      code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
  if (level < 0 && !harmless) static_cast<Decoder*>(info->client_data)->corrupt = true;
}

bool start(Decoder& decoder, const std::string& bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = leave;
  decoder.errors.emit_message = note;
  decoder.info.client_data = &decoder;
  if (setjmp(decoder.escape) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&decoder.info, TRUE);
  decoder.info.out_color_space =
      decoder.info.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  return true;
}

bool decode(Decoder& decoder, std::uint8_t* out, std::size_t row_bytes) {
  if (setjmp(decoder.escape) != 0) return false;
  jpeg_start_decompress(&decoder.info);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + decoder.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return !decoder.corrupt;
}

// EXIF 2.32, 4.6.4: tag 0x112 of the first directory says which edges row 0 and column 0 are. 1, as
// they are looked at, where it says nothing.
int orientation(const jpeg_saved_marker_ptr list) {
  constexpr std::size_t kTiff = 6;  // behind "Exif\0\0", offsets count from here
  for (jpeg_saved_marker_ptr marker = list; marker != nullptr; marker = marker->next) {
    const std::string_view all(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (!all.starts_with(std::string_view("Exif\0\0", kTiff)) || all.size() < kTiff + 8) continue;
    const std::string_view tiff = all.substr(kTiff);
    const bool big = tiff.starts_with("MM");
    const auto number = [&](std::size_t at, std::size_t size) -> std::size_t {
      if (at > tiff.size() || size > tiff.size() - at) return 0;
      std::size_t value = 0;
      for (std::size_t i = 0; i < size; ++i)
        value = value << 8U | static_cast<unsigned char>(tiff[at + (big ? i : size - 1 - i)]);
      return value;
    };
    const std::size_t directory = number(4, 4), entries = number(directory, 2);
    for (std::size_t e = 0; e < entries; ++e) {
      const std::size_t at = directory + 2 + 12 * e;
      const std::size_t value = number(at + 8, 2);
      if (number(at, 2) == 0x112 && value >= 1 && value <= 8) return static_cast<int>(value);
    }
  }
  return 1;
}

class JpegReader : public SliceReader {
 public:
  explicit JpegReader(const std::string& path) : path_(path), bytes_(all_bytes(path)) {
    if (!start(decoder_, bytes_)) damaged(path, "its JPEG header cannot be read");
    const auto& info = decoder_.info;
    ATTUNE_CHECK(info.jpeg_color_space == JCS_GRAYSCALE || info.jpeg_color_space == JCS_YCbCr ||
                     info.jpeg_color_space == JCS_RGB,
                 DataError, "{} is a JPEG in CMYK, inks for print: convert it to RGB or gray first",
                 path);
    header_.format = "JPEG";
    header_.display = header_.eight_bit = true;
    orientation_ = orientation(info.marker_list);
    header_.height = static_cast<Index>(info.image_height);
    header_.width = static_cast<Index>(info.image_width);
    if (orientation_ >= 5) std::swap(header_.height, header_.width);
    check_size(path, header_, static_cast<double>(header_.width * header_.height), kMaxRatio);
  }
  ~JpegReader() override { jpeg_destroy_decompress(&decoder_.info); }

  void read(Index, Slice& out) override {
    const std::size_t height = decoder_.info.image_height, width = decoder_.info.image_width;
    const std::size_t components = decoder_.info.out_color_space == JCS_GRAYSCALE ? 1 : 3;
    std::vector<std::uint8_t> pixels(height * width * components);
    if (!decode(decoder_, pixels.data(), width * components))
      damaged(path_, "its JPEG pixels cannot be read to the end");
    if (orientation_ == 1) {
      to_gray(pixels.data(), height * width, components, 255, 1.0 / 255, out.gray.data());
      return;
    }
    std::vector<float> stored(height * width);
    to_gray(pixels.data(), height * width, components, 255, 1.0 / 255, stored.data());
    const bool right_to_left = orientation_ == 2 || orientation_ == 3 || orientation_ == 6 ||
                               orientation_ == 7;  // column 0 of what is looked at, in stored terms
    const bool bottom_up =
        orientation_ == 3 || orientation_ == 4 || orientation_ == 7 || orientation_ == 8;
    const bool transposed = orientation_ >= 5;
    const auto rows = static_cast<std::size_t>(header_.height);
    const auto columns = static_cast<std::size_t>(header_.width);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) {
        const std::size_t y = bottom_up ? rows - 1 - r : r;
        const std::size_t x = right_to_left ? columns - 1 - c : c;
        out.gray[r * columns + c] = transposed ? stored[x * width + y] : stored[y * width + x];
      }
  }

 private:
  std::string path_, bytes_;
  Decoder decoder_;
  int orientation_ = 1;
};

}  // namespace

std::unique_ptr<SliceReader> open_jpeg(const std::string& path) {
  return std::make_unique<JpegReader>(path);
}

}  // namespace attune
