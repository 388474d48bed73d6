#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// What people read and mistype. All text is UTF-8; nothing here depends on the locale.

// "a, b, c"
std::string join(const std::vector<std::string>& items, std::string_view separator = ", ");

// Without spaces, tabs and line ends on either side.
// The pieces between separators, empty ones included; views into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

std::string_view trim(std::string_view text);

// With the letters A to Z as a to z.
std::string lower_case(std::string_view text);

// Where the text goes from one code point to the next: the bytes of the code point at `at`, 1 for a
// byte that starts none.
std::size_t code_point_bytes(std::string_view text, std::size_t at);

// The first byte that is no UTF-8 (overlong forms and surrogates included), or npos.
std::size_t invalid_utf8(std::string_view text);

// Columns on a terminal: combining marks take none, East Asian wide characters and emoji two.
std::size_t display_width(std::string_view text);

// Padded with spaces on the right (left) to `width` columns; longer text stays whole.
std::string pad_right(std::string_view text, std::size_t width);
std::string pad_left(std::string_view text, std::size_t width);

// Words broken into lines of at most `width` columns; every line after the first starts with
// `indent` spaces, which count. A longer word gets a line of its own.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent = 0);

// Every line but the first moved right by `columns` spaces.
std::string hang(std::string text, std::size_t columns);

// Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other
// (optimal string alignment, Damerau 1964), in bytes, O(|a|·|b|).
std::size_t edit_distance(std::string_view a, std::string_view b);

// Whether `word` may be a slip of the hand for `meant`: at most one edit in three letters.
bool is_slip(std::string_view word, std::string_view meant);

// The candidate of least edit distance (the first of several) for which `word` may be a slip; none
// when nothing is near.
std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates);

}  // namespace attune
