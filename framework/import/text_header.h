#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// What the text headers of MetaImage and NRRD have in common.

// A file's first bytes, among them all of any header that is one.
std::string read_text_header(const std::string& path);

// The next line of `text` from `at` on, without its end ("\n" or "\r\n"); moves `at` behind it.
// None at the end of the text, where a last line may lack its end.
std::optional<std::string_view> next_line(std::string_view text, std::size_t& at);

// Numbers between spaces, of all values or none where one is no number.
std::optional<std::vector<double>> numbers(std::string_view text);

// The file that a header names for its pixels, which must lie in the header's folder or below it: a
// header from elsewhere could else bring any file of this machine into the data set.
std::string data_file_beside(const std::string& header, std::string_view name);

}  // namespace attune
