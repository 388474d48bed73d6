#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"

namespace attune {

// Pairs in two columns, the second one wrapped; on a narrow screen one below the other.
std::string two_columns(const std::vector<std::pair<std::string, std::string>>& rows,
                        std::size_t width = 80);

// The overview of verbs, at most 80 columns and one screen; less than 80 where there are less.
std::string help_text(std::size_t width = 80);

// One verb: usage, options, exit codes, and examples last, because that is what people copy.
std::string help_text(const Verb& verb, std::size_t width = 80);

// All verbs, or one, with every option, as JSON: for completion and for other programs.
std::string help_json(const Verb* verb = nullptr);

}  // namespace attune
