#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "import/decode.h"

namespace attune {

// A file that is open for decoding, in a child process. Constructors and members throw DataErrors
// that name the file.
class SliceReader {
 public:
  virtual ~SliceReader() = default;
  const FileHeader& header() const { return header_; }
  // Slices 0, 1, … are asked for in this order; gray has its size already.
  virtual void read(Index slice, Slice& out) = 0;
  // After the last slice: what can only be known at the end, such as a checksum.
  virtual void finish() {}

 protected:
  FileHeader header_;
};

std::unique_ptr<SliceReader> open_png(const std::string& path);
std::unique_ptr<SliceReader> open_jpeg(const std::string& path);
std::unique_ptr<SliceReader> open_dicom(const std::string& path);
std::unique_ptr<SliceReader> open_nifti(const std::string& path);
std::unique_ptr<SliceReader> open_metaimage(const std::string& path);
std::unique_ptr<SliceReader> open_nrrd(const std::string& path);

// Refuses an image without pixels, one too large for any model, and one of whose `bytes` of pixels
// the file cannot hold more than a share of 1 / `ratio`.
void check_size(const std::string& path, const FileHeader& header, double bytes, double ratio);

[[noreturn]] void damaged(const std::string& path, const std::string& how);

inline double luma(double red, double green, double blue) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

// `n` pixels of 1 to 4 interleaved components (gray, gray and alpha, colour, colour and alpha).
// Alpha on black is a factor, with `opaque` as 1; the result times `scale`.
template <class T>
void to_gray(const T* in, std::size_t n, std::size_t components, double opaque, double scale,
             float* out) {
  for (std::size_t i = 0; i < n; ++i, in += components) {
    double gray = static_cast<double>(in[0]);
    if (components >= 3) gray = luma(gray, static_cast<double>(in[1]), static_cast<double>(in[2]));
    if (components % 2 == 0) gray *= static_cast<double>(in[components - 1]) / opaque;
    out[i] = static_cast<float>(gray * scale);
  }
}

}  // namespace attune
