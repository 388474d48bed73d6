#pragma once

#include <string>

namespace attune {

// Version, commit, compiler, flags, instruction set and library versions: what decides the bits.
std::string version_text();
std::string version_json();

}  // namespace attune
