#pragma once

#include <string>

#include "autograd/profile.h"

namespace attune {

// Where the time of a step goes: a line an op and direction, milliseconds a step, share of it, GF/s
// of products. Or that there was no step.
std::string profile_text(const Profile& profile, std::size_t width = 80);

}  // namespace attune
