#include <itkPNGImageIO.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "import/byte_source.h"
#include "import/reader.h"

namespace attune {
namespace {

constexpr double kMaxRatio = 1100;  // deflate shrinks by at most 1032

class PngReader : public SliceReader {
 public:
  explicit PngReader(const std::string& path) : path_(path), io_(itk::PNGImageIO::New()) {
    set_size();
    io_->SetFileName(path);
    try {
      io_->ReadImageInformation();  // not CanReadFile, which goes by the name's ending
    } catch (const itk::ExceptionObject&) {
      damaged(path, "its PNG header cannot be read");
    }
    header_.format = "PNG";
    header_.display = true;
    header_.eight_bit = io_->GetComponentType() == itk::ImageIOBase::IOComponentType::UCHAR;
  }

  void read(Index, Slice& out) override {
    itk::ImageIORegion region(2);
    region.SetSize(0, io_->GetDimensions(0));
    region.SetSize(1, io_->GetDimensions(1));
    io_->SetIORegion(region);
    const std::size_t components = io_->GetNumberOfComponents();
    std::vector<std::uint16_t> buffer((static_cast<std::size_t>(io_->GetImageSizeInBytes()) + 1) /
                                      2);
    try {
      io_->Read(buffer.data());
    } catch (const std::exception&) {
      damaged(path_, "its PNG pixels cannot be read");
    }
    if (header_.eight_bit) {
      to_gray(reinterpret_cast<const std::uint8_t*>(buffer.data()), out.gray.size(), components,
              255, 1.0 / 255, out.gray.data());
    } else {
      to_gray(buffer.data(), out.gray.size(), components, 65535, 1.0 / 65535, out.gray.data());
    }
  }

 private:
  // From the first chunk, IHDR (ISO/IEC 15948, 11.2.2): where it is not as it must be, libpng
  // aborts without a word.
  void set_size() {
    constexpr std::size_t kSize = 16;  // width and height, behind signature, length and name
    std::array<unsigned char, kSize + 8> start{};
    const std::size_t n = ByteSource(path_).read(start.data(), start.size());
    if (n < start.size() || std::memcmp(start.data() + 12, "IHDR", 4) != 0)
      damaged(path_, "its first chunk is no whole IHDR");
    const auto number = [&](std::size_t at) {
      Index value = 0;
      for (std::size_t i = 0; i < 4; ++i) value = value << 8 | start[at + i];
      return value;
    };
    header_.width = number(kSize);
    header_.height = number(kSize + 4);
    const double pixels = static_cast<double>(header_.width) * static_cast<double>(header_.height);
    // A bit a pixel is what the file may hold, though ITK unpacks it to a byte or a colour.
    check_size(path_, header_, pixels / 8, kMaxRatio);
  }

  std::string path_;
  itk::PNGImageIO::Pointer io_;
};

}  // namespace

std::unique_ptr<SliceReader> open_png(const std::string& path) {
  return std::make_unique<PngReader>(path);
}

}  // namespace attune
