#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace attune {

// Quantities that people write in YAML and on the command line. Each returns what is wrong with the
// text, a phrase that follows "key=value ", or nothing and then `out` is set.

// Seeds: "0-9" (both ends), "n=5" (0 to 4), "0,7", or a list of seeds and ranges. A bare number is
// refused, because it could be a count or a seed; so are repeats and more than 100000.
std::string parse_seeds(const Literal& literal, std::vector<Index>& out);
inline constexpr std::string_view kSeedsForm = "0-9, n=5 or 0,7";

// "90s", "30m", "12h", "1h30m", "500ms": seconds above 0. A number without its unit is refused.
std::string parse_duration(std::string_view text, double& out);
inline constexpr std::string_view kDurationForm = "90s, 30m, 12h or 1h30m";

// "3 s", "2 min 5 s", "1 h 20 min": how long something takes, for people.
std::string duration_text(double seconds);

}  // namespace attune
