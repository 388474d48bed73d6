#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/logistic.h"

namespace attune {

// Classes by a vote of the k nearest training examples (Euclidean; of examples that are equally
// far, the first ones). Returns log((votes_c + 1) / (k + classes)), [n, classes]: the share of the
// votes smoothed as Laplace does, so that no class is impossible. Of classes with equally many
// votes the one whose voters are nearer in sum is preferred, by the next larger float. 1 ≤ k ≤
// training examples, else a DataError.
std::vector<float> nearest_neighbours(const Features& train, std::span<const std::int32_t> target,
                                      Index n_classes, Index k, const Features& x);

}  // namespace attune
