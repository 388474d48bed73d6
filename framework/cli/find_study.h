#pragma once

#include <string>
#include <vector>

namespace attune {

// Whether a folder holds a study: study.yaml, trials/ or running/ stands in it.
bool is_study(const std::string& folder);

// The studies directly in a folder, names sorted.
std::vector<std::string> studies_in(const std::string& folder);

// The folder of a study given as a folder, or as a name in `out`. ConfigError that names what is
// there when it is neither.
std::string find_study(const std::string& study, const std::string& out);

}  // namespace attune
