#pragma once

#include <cstdint>
#include <string>

namespace attune {

// What GDCM does not look at in a file: it fills with zeros what a cut one lacks, and inflates for
// as long as there is something.

// Whether `n_bytes` of pixels, or all of an encapsulated stream, stand in these bytes.
bool has_all_pixels(const std::string& bytes, std::uint64_t n_bytes);

// Of a file with a deflated data set (PS3.5, A.5), refuses one whose stream is cut, and one that
// inflates to more than images do. DataError; passes all other files.
void check_deflated(const std::string& path);

}  // namespace attune
