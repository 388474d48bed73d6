#include "stats/interval.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace attune {

double t_quantile(double alpha, double df) {
  const boost::math::students_t distribution(df);
  return boost::math::quantile(boost::math::complement(distribution, alpha / 2));
}

double t_test(double estimate, double variance, double df) {
  if (!(variance > 0)) return estimate == 0 ? 1 : 0;
  const boost::math::students_t distribution(df);
  const double t = std::abs(estimate) / std::sqrt(variance);
  return 2 * boost::math::cdf(boost::math::complement(distribution, t));
}

MeanEstimate mean_with_t_interval(std::span<const double> values, double alpha) {
  ATTUNE_CHECK(!values.empty(), NumericError, "[stats] a mean needs at least one value, got none");
  ATTUNE_CHECK(alpha > 0 && alpha < 1, NumericError, "[stats] alpha={} must lie between 0 and 1",
               alpha);
  MeanEstimate estimate;
  estimate.n = static_cast<Index>(values.size());
  const auto n = static_cast<double>(values.size());
  for (const double x : values) {
    ATTUNE_CHECK(
        std::isfinite(x), NumericError,
        "[stats] a mean of {} values has {} among them: leave out what diverged, and say so",
        values.size(), x);
    estimate.mean += (x - values.front()) / n;  // about the first value: equal replicates have sd 0
  }
  estimate.mean += values.front();
  if (values.size() == 1) return estimate;

  double squares = 0;  // second pass about the mean: no cancellation
  for (const double x : values) squares += (x - estimate.mean) * (x - estimate.mean);
  estimate.sd = std::sqrt(squares / (n - 1));
  const double half = t_quantile(alpha, n - 1) * estimate.sd / std::sqrt(n);
  estimate.interval = Interval{estimate.mean - half, estimate.mean + half};
  return estimate;
}

}  // namespace attune
