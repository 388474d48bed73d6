#pragma once

#include <string>

namespace attune {

// Version, commit, compiler, flags, instruction set and library versions: what decides the bits.
std::string version_page();
std::string version_json();

}  // namespace attune
