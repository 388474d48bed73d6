#pragma once

#include <array>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/shape.h"

namespace attune {

// What a file's header says of all its slices: one image, or a volume whose slices share a size.
struct FileFacts {
  const char* format = "";  // "PNG", "JPEG", "DICOM", "NIfTI", "MetaImage", "NRRD"
  Index n_slices = 1, height = 0, width = 0;
  // mm from row to row and from column to column, of the first slice; NaN where the file does not
  // say.
  float row_spacing = std::numeric_limits<float>::quiet_NaN();
  float column_spacing = std::numeric_limits<float>::quiet_NaN();
  bool display = false;    // PNG and JPEG: gray values are shares of full white, 0 … 1
  bool eight_bit = false;  // of a display format: whole multiples of 1/255
};

struct FileHeader : FileFacts {
  // [n_slices] rows' and columns' of each slice, where each may have its own; else empty.
  std::vector<std::array<float, 2>> slice_spacing;
};

struct Slice {
  std::vector<float> gray;  // [height · width], row-major
  // Of DICOM's MONOCHROME1, where more is darker: mirror − gray has more as brighter. With the
  // least and the largest value a, b that the stored bits could hold, after slope and intercept,
  // mirror is a + b. NaN for all other images.
  float mirror = std::numeric_limits<float>::quiet_NaN();
};

// Formats are told by content, names are not looked at.
//
//   PNG, JPEG           shares of white: 8 bits / 255, 16 bits / 65535. JPEG as its EXIF
//   orientation
//                       says that it is looked at
//   DICOM               slope · stored + intercept, of the frame's own functional group if it has
//                       one; a frame is a slice. Windows (VOI) of the file are not applied
//   NIfTI-1 and -2,     slope · stored + intercept where the header gives them. The first axis runs
//   MetaImage, NRRD     along columns, the second along rows, all others count slices
//
// Colour becomes gray by Rec. 601 luma, .299 R + .587 G + .114 B; alpha is laid on black. What has
// no such reading (CMYK, complex numbers, vectors, NaN) is refused.
//
// All errors are DataErrors that name the file. Decoding is done in a child process a call.

// Whether the first bytes are those of a format that can be decoded; DataError where the file
// cannot be opened.
bool is_image(const std::string& path);

FileHeader read_header(const std::string& path);

// Hands the slices over in their order. Memory: a slice here; in the child a slice of NIfTI,
// MetaImage and NRRD, a whole file of the others.
void read_slices(const std::string& path, const FileHeader& header,
                 const std::function<void(Slice&)>& take);

}  // namespace attune
