#pragma once

#include <cstdint>
#include <string>

namespace attune {

// Whether a file holds all that its header promises. The readers fill what is missing of a
// truncated JPEG, DICOM or NIfTI file with gray or zeros, and NIfTI's turns NaN into zero; none of
// them says so.
enum class Content { whole, cut_short, not_finite };

Content jpeg_content(const std::string& path);
// `n_bytes` that the pixels take where they are not compressed.
Content dicom_content(const std::string& path, std::uint64_t n_bytes);
// Plain or compressed by gzip, whose checksum is compared too.
Content nifti_content(const std::string& path);

}  // namespace attune
