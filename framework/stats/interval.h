#pragma once

#include <optional>
#include <span>

#include "base/shape.h"

namespace attune {

struct Interval {
  double low = 0, high = 0;
};

// Student's two-sided quantile: a t of df degrees of freedom lies within ± it with 1 − alpha.
double t_quantile(double alpha, double df);
// Two-sided p of an estimate with this variance where the truth is 0; 0 or 1 where that is 0.
double t_test(double estimate, double variance, double df);

// What n independent replicates say about a mean.
struct MeanEstimate {
  Index n = 0;
  double mean = 0;
  double sd = 0;                     // with n − 1 below; 0 for n = 1
  std::optional<Interval> interval;  // none for n = 1: one replicate knows nothing of its spread
};

// Student's two-sided 1 − alpha interval of the mean, mean ± t(1 − alpha/2, n − 1) · sd / √n. The
// replicates are independent seeds (docs/architecture.md), never folds or examples. Sums run in the
// order given. At least one value, all finite, 0 < alpha < 1, else a NumericError.
MeanEstimate mean_with_t_interval(std::span<const double> values, double alpha = 0.05);

}  // namespace attune
