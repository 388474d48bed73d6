#pragma once

#include <optional>
#include <string_view>

namespace attune {

// What a decoder makes of a compressed colour image, by the stream's own words. DICOM headers are
// often wrong about it, since what wrote them copied them from before the compression.
enum class Components { rgb, luma_first };

// JPEG by DCT: a decoder that converts no colours hands over the components as they are stored,
// which JFIF, Adobe's marker (transform 0 or 1) or component ids "RGB" tell. JPEG 2000: a decoder
// undoes the stream's component transform, so that RGB comes out where there is one (ISO/IEC
// 15444-1, A.6.1). Nothing where the stream does not say, or is none of both.
std::optional<Components> components_of(std::string_view stream);

}  // namespace attune
