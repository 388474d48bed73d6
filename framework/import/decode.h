#pragma once

#include <limits>
#include <string>
#include <vector>

#include "base/shape.h"

namespace attune {

// What an image's header says. Formats are told by content, names are not looked at.
struct ImageHeader {
  std::string format;  // "PNG", "JPEG", "DICOM", "NIfTI"
  Index height = 0, width = 0;
  // mm from row to row and from column to column; NaN where the file does not say.
  float row_spacing = std::numeric_limits<float>::quiet_NaN();
  float column_spacing = std::numeric_limits<float>::quiet_NaN();
  bool display = false;    // PNG and JPEG: gray values are shares of full white, 0 … 1
  bool eight_bit = false;  // of a display format: whole multiples of 1/255
};

// Whether the first bytes are those of a format that can be decoded.
bool is_image(const std::string& path);

// One gray slice each; errors are DataErrors that name the file. Colour becomes gray by
// Rec. 601 luma after alpha has been laid on black; DICOM and NIfTI give physical values (slope and
// intercept applied).
ImageHeader read_header(const std::string& path);
// Pixels row-major; out is resized to height · width.
void read_gray(const std::string& path, const ImageHeader& header, std::vector<float>& out);

}  // namespace attune
