#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attune {

// check_output() (base/output_file.h) for an HDF5 file whose root says `schema`. Besides, what is
// there already must be empty or a file of that schema: nothing else is replaced, be it the pixels
// that another file's header names, a run file, or somebody's notes.
void check_h5_output(const std::string& path, std::string_view schema,
                     const std::vector<std::string>& inputs);

}  // namespace attune
