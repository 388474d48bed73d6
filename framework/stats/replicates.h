#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/interval.h"

namespace attune {

// What a claim asks of replicates beside their mean (stats/interval.h). Values are finite, or it is
// a NumericError; 0 < alpha < 1.

// Clopper & Pearson 1934: the exact two-sided 1 − alpha interval of a probability from `successes`
// of n ≥ 1.
Interval fraction_interval(Index successes, Index n, double alpha = 0.05);

// The interval of the median between two order statistics, [x(k), x(n+1−k)] with the largest k
// whose coverage 1 − 2 P(B < k), B ~ Bin(n, ½), is 1 − alpha at least. None where even the extremes
// do not cover it: n < 6 at 5 %.
std::optional<Interval> median_interval(std::span<const double> values, double alpha = 0.05);
double median(std::vector<double> values);

// Two-sided p of Student's t for a mean of 0; 1 where n < 2, 0 where all are the same and not 0.
double t_test(std::span<const double> values);

// Holm 1979: p values of a family, each as if corrected step by step; in the order given.
std::vector<double> holm(std::span<const double> p);

// Pearson's; none with fewer than 2 pairs or a constant side.
std::optional<double> correlation(std::span<const double> a, std::span<const double> b);
// Spearman's: Pearson's of the ranks, ties at their mean rank.
std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b);
// Least squares of y over x. At least two x that differ, else a NumericError.
double slope(std::span<const double> x, std::span<const double> y);

// Why a t interval says nothing of these replicates: all are equal, or the largest gap between
// sorted replicates, over their range, is above its 1 % point for normal ones (simulated, 10^6
// samples each; n ≥ 3). Empty where it may.
std::string shape_problem(std::span<const double> values);

// Seeds that a t interval needs to lie on one side of a boundary `distance` away from the estimate:
// at both ends of the 80 % interval of the standard deviation. None above kMostSeeds: the estimate
// lies on the boundary.
struct SeedsNeeded {
  Index low = 0, high = 0;
};
inline constexpr Index kMostSeeds = 10'000;
std::optional<SeedsNeeded> seeds_needed(Index n, double sd, double distance, double alpha = 0.05);

}  // namespace attune
