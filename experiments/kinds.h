#pragma once

#include <vector>

#include "train/kind.h"

namespace attune {

// Every kind of trial: the one list. A kind is a file beside this one and a line in kinds.cpp.
const std::vector<Kind>& all_kinds();

}  // namespace attune
