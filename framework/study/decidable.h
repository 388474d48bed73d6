#pragma once

#include <string>

#include "study/claim.h"

namespace attune {

// What n replicates can decide of a claim before any of them is run, when `family` intervals share
// alpha: how far beyond its region's edge an effect must lie, in standard deviations of its
// replicates, for the interval to be inside, where the estimate is the truth; of fractions how many
// of n. A phrase: "an effect 0.72 sd beyond its region's edge".
std::string decidable_words(const Claim& claim, Index n, Index family, double alpha);

}  // namespace attune
