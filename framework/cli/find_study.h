#pragma once

#include <string>
#include <vector>

#include "storage/run_file.h"

namespace attune {

// Whether a folder holds a study: study.yaml, trials/ or running/ stands in it.
bool is_study(const std::string& folder);

// The studies directly in a folder, names sorted.
std::vector<std::string> studies_in(const std::string& folder);

// The folder of a study given as a folder, or as a name in `out`. ConfigError that names what is
// there when it is neither.
std::string find_study(const std::string& study, const std::string& out);

// The study that a run file is of, as the text of a YAML file: its own config and seed.
std::string study_text(const RunFile& run);

}  // namespace attune
