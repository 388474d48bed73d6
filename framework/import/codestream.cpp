#include "import/codestream.h"

#include <cstddef>

namespace attune {
namespace {

unsigned byte_at(std::string_view stream, std::size_t at) {
  return at < stream.size() ? static_cast<unsigned char>(stream[at]) : 0;
}

// The segments of a header, which ends at one of kind `last`: take(kind, content). JPEG and JPEG
// 2000 share their form: FF, kind, two bytes of length that count themselves.
template <class Take>
void each_segment(std::string_view stream, std::size_t at, unsigned last, const Take& take) {
  while (at + 4 <= stream.size() && byte_at(stream, at) == 0xff) {
    const unsigned kind = byte_at(stream, at + 1);
    if (kind == 0xff) {  // filling
      ++at;
      continue;
    }
    if (kind == last) return;
    const std::size_t length = byte_at(stream, at + 2) << 8 | byte_at(stream, at + 3);
    if (length < 2) return;
    take(kind, stream.substr(at + 4, length - 2));
    at += 2 + length;
  }
}

std::optional<Components> of_jpeg(std::string_view stream) {
  constexpr unsigned kScan = 0xda;
  bool jfif = false, by_dct = false;
  std::optional<bool> transformed;  // by Adobe's marker
  std::string_view frame;
  each_segment(stream, 2, kScan, [&](unsigned kind, std::string_view content) {
    if (kind == 0xe0 && content.starts_with(std::string_view("JFIF\0", 5))) jfif = true;
    if (kind == 0xee && content.starts_with("Adobe") && content.size() >= 12)
      transformed = content[11] != 0;
    if (kind < 0xc0 || kind > 0xc2) return;
    by_dct = true;
    frame = content;
  });
  if (!by_dct || byte_at(frame, 5) != 3) return std::nullopt;
  if (jfif) return Components::luma_first;
  if (transformed) return *transformed ? Components::luma_first : Components::rgb;
  const bool named =
      byte_at(frame, 6) == 'R' && byte_at(frame, 9) == 'G' && byte_at(frame, 12) == 'B';
  return named ? std::optional(Components::rgb) : std::nullopt;
}

std::optional<Components> of_jpeg_2000(std::string_view stream, std::size_t start) {
  constexpr unsigned kTile = 0x90, kCodingStyle = 0x52;
  bool transformed = false;
  each_segment(stream, start + 2, kTile, [&](unsigned kind, std::string_view content) {
    if (kind == kCodingStyle) transformed = byte_at(content, 4) == 1;
  });
  return transformed ? std::optional(Components::rgb) : std::nullopt;
}

}  // namespace

std::optional<Components> components_of(std::string_view stream) {
  if (stream.starts_with("\xff\xd8\xff")) return of_jpeg(stream);
  // With or without the boxes of a JP2 file around it.
  const std::size_t start = stream.find("\xff\x4f\xff\x51");
  return start == stream.npos ? std::nullopt : of_jpeg_2000(stream, start);
}

}  // namespace attune
