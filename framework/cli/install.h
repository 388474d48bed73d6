#pragma once

#include <string>

namespace attune {

// The folder of the running program.
std::string program_folder();

// attune's own configs: ../share/attune/configs from the program where it is installed, else the
// source tree's, two folders above a build. Empty where there is neither.
std::string configs_folder();

}  // namespace attune
