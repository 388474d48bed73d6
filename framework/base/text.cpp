#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

namespace attune {
namespace {

struct Span {
  std::uint32_t first, last;
};

// Unicode 14, blocks rather than single characters: good for aligning tables, not for typesetting.
constexpr std::array<Span, 6> kNoWidth{{{0x300, 0x36F},
                                        {0x1AB0, 0x1AFF},
                                        {0x1DC0, 0x1DFF},
                                        {0x200B, 0x200F},
                                        {0x20D0, 0x20FF},
                                        {0xFE00, 0xFE0F}}};
constexpr std::array<Span, 10> kWide{{{0x1100, 0x115F},
                                      {0x2E80, 0x303E},
                                      {0x3041, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFE30, 0xFE6F},
                                      {0xFF00, 0xFF60},
                                      {0xFFE0, 0xFFE6},
                                      {0x1F300, 0x1FAFF},
                                      {0x20000, 0x3FFFD}}};

template <std::size_t kSize>
bool within(const std::array<Span, kSize>& spans, std::uint32_t c) {
  return std::any_of(spans.begin(), spans.end(),
                     [c](Span s) { return s.first <= c && c <= s.last; });
}

constexpr std::uint32_t kInvalid = 0xFFFFFFFF;

struct Decoded {
  std::uint32_t code = kInvalid;
  std::size_t bytes = 1;
};

Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + bytes > text.size()) return {};
  std::uint32_t code = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(at + i) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

}  // namespace

std::string join(const std::vector<std::string>& items, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    out += items[i];
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::size_t code_point_bytes(std::string_view text, std::size_t at) {
  return decode(text, at).bytes;
}

std::size_t invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Decoded c = decode(text, i);
    if (c.code == kInvalid) return i;
    i += c.bytes;
  }
  return std::string_view::npos;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Decoded c = decode(text, i);
    width += within(kNoWidth, c.code) ? 0 : within(kWide, c.code) ? 2 : 1;
    i += c.bytes;
  }
  return width;
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t now = display_width(text);
  return std::string(text) + std::string(now < width ? width - now : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t now = display_width(text);
  return std::string(now < width ? width - now : 0, ' ') + std::string(text);
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  bool line_has_word = false;
  while (!(text = trim(text)).empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n"));
    const std::size_t columns = display_width(word);
    if (line_has_word && column + 1 + columns > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
      line_has_word = false;
    }
    if (line_has_word) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns;
    line_has_word = true;
    text.remove_prefix(word.size());
  }
  return out;
}

std::string hang(std::string text, std::size_t columns) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += columns)
    text.insert(++at, columns, ' ');
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

bool is_slip(std::string_view word, std::string_view meant) {
  const std::size_t least = std::min(word.size(), meant.size());
  const std::size_t most = std::max(word.size(), meant.size());
  const std::size_t allowed = (least + 1) / 3;
  return most - least <= allowed && edit_distance(word, meant) <= allowed;
}

std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t least = 0;
  for (const std::string& candidate : candidates) {
    if (!is_slip(word, candidate)) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (!best || distance < least) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(trim(text.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

}  // namespace attune
