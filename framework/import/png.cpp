#include <itkPNGImageIO.h>

#include "base/error.h"
#include "import/reader.h"

namespace attune {
namespace {

constexpr double kMaxRatio = 1100;  // deflate shrinks by at most 1032

class PngReader : public SliceReader {
 public:
  explicit PngReader(const std::string& path) : path_(path), io_(itk::PNGImageIO::New()) {
    io_->SetFileName(path);
    try {
      io_->ReadImageInformation();  // not CanReadFile, which goes by the name's ending
    } catch (const itk::ExceptionObject&) {
      damaged(path, "its PNG header cannot be read");
    }
    header_.format = "PNG";
    header_.display = true;
    header_.eight_bit = io_->GetComponentType() == itk::ImageIOBase::IOComponentType::UCHAR;
    header_.width = static_cast<Index>(io_->GetDimensions(0));
    header_.height = static_cast<Index>(io_->GetDimensions(1));
    // A bit a pixel is what the file may hold, though ITK unpacks it to a byte or a colour.
    check_size(path, header_, static_cast<double>(header_.width * header_.height) / 8, kMaxRatio);
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
  std::string path_;
  itk::PNGImageIO::Pointer io_;
};

}  // namespace

std::unique_ptr<SliceReader> open_png(const std::string& path) {
  return std::make_unique<PngReader>(path);
}

}  // namespace attune
