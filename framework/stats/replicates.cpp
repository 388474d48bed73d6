#include "stats/replicates.h"

#include <algorithm>
#include <array>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <numeric>
#include <utility>

namespace attune {
namespace {

using boost::math::complement;
using boost::math::quantile;

void check(std::span<const double> values) {
  for (const double x : values)
    ATTUNE_CHECK(std::isfinite(x), NumericError,
                 "[stats] {} values have {} among them: leave out what diverged, and say so",
                 values.size(), x);
}

std::vector<double> sorted(std::span<const double> values) {
  check(values);
  std::vector<double> x(values.begin(), values.end());
  std::sort(x.begin(), x.end());
  return x;
}

// The largest gap between n sorted normal numbers over their range: its 1 % points.
double gap_point(std::size_t n) {
  constexpr std::array<std::pair<double, double>, 17> kPoints = {{{3, .9939},
                                                                  {4, .9308},
                                                                  {5, .8428},
                                                                  {6, .7643},
                                                                  {7, .7009},
                                                                  {8, .6491},
                                                                  {9, .6087},
                                                                  {10, .5773},
                                                                  {12, .5271},
                                                                  {15, .4776},
                                                                  {20, .4274},
                                                                  {24, .4004},
                                                                  {30, .3731},
                                                                  {40, .3432},
                                                                  {60, .3085},
                                                                  {100, .2745},
                                                                  {200, .2394}}};
  const auto x = static_cast<double>(n);
  if (x >= kPoints.back().first) return kPoints.back().second;
  const auto above = std::find_if(kPoints.begin(), kPoints.end(),
                                  [x](const auto& point) { return point.first >= x; });
  if (above->first == x) return above->second;
  const auto below = above - 1;  // straight in log n between two of them
  const double part =
      (std::log(x) - std::log(below->first)) / (std::log(above->first) - std::log(below->first));
  return below->second + part * (above->second - below->second);
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k)
      rank[order[k]] = (static_cast<double>(i) + static_cast<double>(end) + 1) / 2;
    i = end;
  }
  return rank;
}

}  // namespace

Interval fraction_interval(Index successes, Index n, double alpha) {
  ATTUNE_CHECK(n >= 1 && successes >= 0 && successes <= n, NumericError,
               "[stats] {} successes of {} are no fraction", successes, n);
  const auto k = static_cast<double>(successes), rest = static_cast<double>(n - successes);
  Interval interval{0, 1};
  if (successes > 0)
    interval.low = quantile(boost::math::beta_distribution(k, rest + 1), alpha / 2);
  if (successes < n)
    interval.high = quantile(complement(boost::math::beta_distribution(k + 1, rest), alpha / 2));
  return interval;
}

double median(std::vector<double> values) {
  ATTUNE_CHECK(!values.empty(), NumericError,
               "[stats] a median needs at least one value, got none");
  const std::vector<double> x = sorted(values);
  const std::size_t half = x.size() / 2;
  return x.size() % 2 == 1 ? x[half] : (x[half - 1] + x[half]) / 2;
}

std::optional<Interval> median_interval(std::span<const double> values, double alpha) {
  const std::vector<double> x = sorted(values);
  if (x.empty()) return std::nullopt;
  const boost::math::binomial half(static_cast<double>(x.size()), 0.5);
  std::size_t k = 0;  // P(B < k + 1) = P(B ≤ k)
  while (k < x.size() / 2 && cdf(half, static_cast<double>(k)) <= alpha / 2) ++k;
  if (k == 0) return std::nullopt;
  return Interval{x[k - 1], x[x.size() - k]};
}

double t_test(std::span<const double> values) {
  check(values);
  if (values.size() < 2) return 1;
  const MeanEstimate e = mean_with_t_interval(values);
  const auto n = static_cast<double>(e.n);
  return t_test(e.mean, e.sd * e.sd / n, n - 1);
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, p[order[i]] * static_cast<double>(p.size() - i)));
    corrected[order[i]] = largest;
  }
  return corrected;
}

std::optional<double> correlation(std::span<const double> a, std::span<const double> b) {
  ATTUNE_CHECK(a.size() == b.size(), NumericError, "[stats] {} values cannot be paired with {}",
               a.size(), b.size());
  check(a);
  check(b);
  if (a.size() < 2) return std::nullopt;
  const double ma = mean_with_t_interval(a).mean, mb = mean_with_t_interval(b).mean;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  if (aa == 0 || bb == 0) return std::nullopt;
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b) {
  check(a);
  check(b);
  return correlation(ranks(a), ranks(b));
}

double slope(std::span<const double> x, std::span<const double> y) {
  ATTUNE_CHECK(x.size() == y.size() && !x.empty(), NumericError,
               "[stats] a slope needs as many y as x, got {} and {}", y.size(), x.size());
  check(x);
  check(y);
  const double mx = mean_with_t_interval(x).mean, my = mean_with_t_interval(y).mean;
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mx) * (x[i] - mx);
    xy += (x[i] - mx) * (y[i] - my);
  }
  ATTUNE_CHECK(xx > 0, NumericError, "[stats] a slope needs two x that differ, all are {}", mx);
  return xy / xx;
}

std::string shape_problem(std::span<const double> values) {
  const std::vector<double> x = sorted(values);
  if (x.size() < 2) return {};
  const double range = x.back() - x.front();
  if (range == 0) return fmt::format("all {} replicates are {}", x.size(), x.front());
  if (x.size() < 3) return {};
  double gap = 0;
  for (std::size_t i = 1; i < x.size(); ++i) gap = std::max(gap, x[i] - x[i - 1]);
  if (gap / range <= gap_point(x.size())) return {};
  return fmt::format("replicates fall into clusters (a gap is {:.0f} % of their range)",
                     100 * gap / range);
}

std::optional<SeedsNeeded> seeds_needed(Index n, double sd, double distance, double alpha) {
  if (n < 2 || !(sd > 0) || !(distance > 0)) return std::nullopt;
  const double df = static_cast<double>(n - 1);
  const boost::math::chi_squared chi(df);
  const double least = sd * std::sqrt(df / quantile(chi, 0.9)),
               most = sd * std::sqrt(df / quantile(chi, 0.1));
  const auto needed = [&](double s) -> Index {
    const auto decides = [&](Index seeds) {
      const auto m = static_cast<double>(seeds);
      return t_quantile(alpha, m - 1) * s / std::sqrt(m) < distance;
    };
    if (!decides(kMostSeeds)) return kMostSeeds + 1;
    Index low = 1, high = kMostSeeds;  // high decides
    while (high - low > 1) {
      const Index middle = (low + high) / 2;
      (middle >= 2 && decides(middle) ? high : low) = middle;
    }
    return high;
  };
  const SeedsNeeded seeds{needed(least), needed(most)};
  if (seeds.high > kMostSeeds) return std::nullopt;
  return seeds;
}

}  // namespace attune
