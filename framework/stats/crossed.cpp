#include "stats/crossed.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace attune {
namespace {

using Values = std::vector<double>;

double mean_of(const Values& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Of the mean of these values: their variance over their number; 0 where there is one alone.
double variance_of_mean(const Values& values) {
  if (values.size() < 2) return 0;
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double squares = 0;
  for (const double x : values) squares += (x - mean) * (x - mean);
  return squares / (n - 1) / n;
}

// Where each example's group stands among the groups, which are numbered in ascending order.
std::vector<std::size_t> places(std::span<const Index> group, std::size_t& n_groups) {
  std::map<Index, std::size_t> place;
  for (const Index g : group) place.emplace(g, 0);
  n_groups = 0;
  for (auto& [g, at] : place) at = n_groups++;
  std::vector<std::size_t> result;
  result.reserve(group.size());
  for (const Index g : group) result.push_back(place.at(g));
  return result;
}

}  // namespace

CrossedEstimate crossed_interval(const std::vector<Values>& z, double value, double alpha) {
  ATTUNE_CHECK(!z.empty() && !z.front().empty(), NumericError,
               "[stats] a crossed interval needs at least one seed and one group");
  ATTUNE_CHECK(alpha > 0 && alpha < 1, NumericError, "[stats] alpha={} must lie between 0 and 1",
               alpha);
  const std::size_t n_seeds = z.size(), n_groups = z.front().size();
  const auto S = static_cast<double>(n_seeds), G = static_cast<double>(n_groups);
  Values of_seed(n_seeds), of_group(n_groups);
  for (std::size_t s = 0; s < n_seeds; ++s) {
    ATTUNE_CHECK(z[s].size() == n_groups, NumericError,
                 "[stats] seed {} has {} groups, the first one {}", s, z[s].size(), n_groups);
    for (std::size_t g = 0; g < n_groups; ++g) {
      ATTUNE_CHECK(std::isfinite(z[s][g]), NumericError, "[stats] seed {} has {} for group {}", s,
                   z[s][g], g);
      of_seed[s] += z[s][g] / G;
      of_group[g] += z[s][g] / S;
    }
  }
  const double all = mean_of(of_seed);
  double residual = 0;
  for (std::size_t s = 0; s < n_seeds; ++s)
    for (std::size_t g = 0; g < n_groups; ++g) {
      const double e = z[s][g] - of_seed[s] - of_group[g] + all;
      residual += e * e;
    }

  CrossedEstimate result;
  result.n_seeds = static_cast<Index>(n_seeds);
  result.n_groups = static_cast<Index>(n_groups);
  result.value = value;
  const double vs = result.seed_variance = variance_of_mean(of_seed);
  const double vg = result.group_variance = variance_of_mean(of_group);
  if (n_seeds == 1 && n_groups == 1) return result;
  if (n_seeds == 1 || n_groups == 1) {
    result.variance = vs + vg;  // the other one is 0
    result.df = std::max(S, G) - 1;
  } else {
    const double ve = residual / ((S - 1) * (G - 1)) / (S * G);
    result.variance = std::max({vs + vg - ve, vs, vg});
    const double spread = vs * vs / (S - 1) + vg * vg / (G - 1);
    result.df = std::min(S, G) - 1;
    if (spread > 0) result.df = std::max(result.df, result.variance * result.variance / spread);
  }
  const double half = t_quantile(alpha, result.df) * std::sqrt(result.variance);
  result.interval = Interval{value - half, value + half};
  return result;
}

CrossedEstimate interval_of(const CrossedValues& values, double alpha) {
  if (!values.z.empty()) return crossed_interval(values.z, values.value, alpha);
  CrossedEstimate plain;
  plain.n_seeds = static_cast<Index>(values.of_seed.size());
  plain.n_groups = values.n_groups;
  plain.value = values.value;
  return plain;
}

CrossedValues sum(std::span<const Weighted> parts) {
  ATTUNE_CHECK(!parts.empty(), NumericError, "[stats] a sum needs at least one part");
  const CrossedValues& first = parts.front().values;
  CrossedValues total{0, first.n_groups, Values(first.of_seed.size(), 0.0), first.z};
  for (Values& row : total.z) std::fill(row.begin(), row.end(), 0.0);
  for (const auto& [weight, part] : parts) {
    ATTUNE_CHECK(part.of_seed.size() == total.of_seed.size(), NumericError,
                 "[stats] {} seeds and {} seeds are not crossed with the same", part.of_seed.size(),
                 total.of_seed.size());
    if (part.z.empty()) total.z.clear();
    total.value += weight * part.value;
    for (std::size_t s = 0; s < part.of_seed.size(); ++s) {
      total.of_seed[s] += weight * part.of_seed[s];
      if (total.z.empty()) continue;
      ATTUNE_CHECK(part.z[s].size() == total.z[s].size(), NumericError,
                   "[stats] {} groups and {} groups are not crossed with the same",
                   part.z[s].size(), total.z[s].size());
      for (std::size_t g = 0; g < part.z[s].size(); ++g) total.z[s][g] += weight * part.z[s][g];
    }
  }
  return total;
}

CrossedValues crossed_mean_values(const std::vector<Values>& y, std::span<const Index> group) {
  ATTUNE_CHECK(!y.empty() && !group.empty(), NumericError,
               "[stats] a crossed mean needs at least one seed and one example");
  std::size_t n_groups = 0;
  const std::vector<std::size_t> place = places(group, n_groups);
  CrossedValues values;
  values.n_groups = static_cast<Index>(n_groups);
  for (const Values& seed : y) {
    ATTUNE_CHECK(seed.size() == group.size(), NumericError,
                 "[stats] a seed has {} examples, the groups are of {}", seed.size(), group.size());
    values.of_seed.push_back(mean_of(seed));
    values.value += values.of_seed.back() / static_cast<double>(y.size());
  }
  const double scale = static_cast<double>(n_groups) / static_cast<double>(group.size());
  values.z.assign(y.size(), Values(n_groups, 0.0));
  for (std::size_t s = 0; s < y.size(); ++s)
    for (std::size_t i = 0; i < group.size(); ++i)
      values.z[s][place[i]] += scale * (y[s][i] - values.value);
  return values;
}

CrossedEstimate crossed_mean(const std::vector<Values>& y, std::span<const Index> group,
                             double alpha) {
  return interval_of(crossed_mean_values(y, group), alpha);
}

std::optional<CrossedValues> crossed_statistic_values(Index n_seeds, std::span<const Index> group,
                                                      const Statistic& statistic) {
  ATTUNE_CHECK(n_seeds > 0 && !group.empty(), NumericError,
               "[stats] a crossed statistic needs at least one seed and one example");
  std::size_t n_groups = 0;
  const std::vector<std::size_t> place = places(group, n_groups);
  std::vector<Index> examples(group.size());
  std::iota(examples.begin(), examples.end(), 0);
  const auto G = static_cast<double>(n_groups);

  CrossedValues values;
  values.n_groups = static_cast<Index>(n_groups);
  for (Index s = 0; s < n_seeds; ++s) {
    const auto theta = statistic(s, examples);
    if (!theta) return std::nullopt;
    values.of_seed.push_back(*theta);
  }
  values.value = mean_of(values.of_seed);
  if (n_groups == 1) {
    for (const double theta : values.of_seed) values.z.push_back({theta});
    return values;
  }

  std::vector<Values> z(values.of_seed.size(), Values(n_groups, 0.0));
  std::vector<Index> kept;
  for (std::size_t g = 0; g < n_groups; ++g) {
    kept.clear();
    for (const Index i : examples)
      if (place[static_cast<std::size_t>(i)] != g) kept.push_back(i);
    for (std::size_t s = 0; s < z.size(); ++s) {
      const auto without = statistic(static_cast<Index>(s), kept);
      if (!without) return values;
      z[s][g] = G * values.of_seed[s] - (G - 1) * *without;
    }
  }
  values.z = std::move(z);
  return values;
}

std::optional<CrossedEstimate> crossed_statistic(Index n_seeds, std::span<const Index> group,
                                                 const Statistic& statistic, double alpha) {
  const auto values = crossed_statistic_values(n_seeds, group, statistic);
  return values ? std::optional(interval_of(*values, alpha)) : std::nullopt;
}

}  // namespace attune
