#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "stats/interval.h"

namespace attune {

// What S seeds, all tested on the same examples of G groups, say about a statistic of the examples.
// Both seeds and groups are samples: seeds are readers, groups are cases (Obuchowski & Rockette
// 1995; Gallas 2006; Owen 2007), and the interval is for new seeds and new groups alike.
struct CrossedEstimate {
  Index n_seeds = 0, n_groups = 0;
  double value = 0;                  // mean over the seeds
  double seed_variance = 0;          // of `value`: VS, 0 with one seed
  double group_variance = 0;         // VG, 0 with one group
  double variance = 0;               // V = max(VS + VG − VE, VS, VG)
  double df = 0;                     // Satterthwaite, at least min(S, G) − 1
  std::optional<Interval> interval;  // none with one seed and one group
  double group_share() const {       // of the variance, 0 … 1
    return seed_variance + group_variance > 0 ? group_variance / (seed_variance + group_variance)
                                              : 0;
  }
};

// What the interval is made of: z [S][G], a value a seed and a group whose mean over the groups is
// the seed's value, up to one constant. Of the same groups they add up, so that the difference of
// two rows is crossed as each of them is.
struct CrossedValues {
  double value = 0;  // mean over the seeds
  Index n_groups = 0;
  std::vector<double> of_seed = {};         // [S]
  std::vector<std::vector<double>> z = {};  // empty where a group cannot be left out
};

// Σ weight · values. All of the same seeds and groups, else a NumericError.
struct Weighted {
  double weight = 1;
  CrossedValues values;
};
CrossedValues sum(std::span<const Weighted> parts);

// The interval from z [S][G], one deviation a seed and a group whose mean over the groups is the
// seed's value, up to a constant. With
//   VS = var_s(mean_g z)/S,  VG = var_g(mean_s z)/G,  VE = MS_residual/(S·G),
// V as above and df = max(min(S, G) − 1, V²/(VS²/(S−1) + VG²/(G−1))): value ± t(1 − alpha/2,
// df)·√V. With one seed it says what is known for new groups, with one group for new seeds.
// NumericError for an empty or ragged z, or one that is not finite.
CrossedEstimate crossed_interval(const std::vector<std::vector<double>>& z, double value,
                                 double alpha = 0.05);
CrossedEstimate interval_of(const CrossedValues& values, double alpha = 0.05);

// For a mean over examples: y [S][N] a value a seed and an example, group [N] any numbers.
//   z[s, g] = (G/N) Σ_{i in g} (y[s, i] − ȳ)
CrossedValues crossed_mean_values(const std::vector<std::vector<double>>& y,
                                  std::span<const Index> group);
CrossedEstimate crossed_mean(const std::vector<std::vector<double>>& y,
                             std::span<const Index> group, double alpha = 0.05);

// For any other statistic (AUC, balanced accuracy): the same on delete-one-group pseudo-values
//   z[s, g] = G·θ_s − (G − 1)·θ_s without g.
// statistic(s, examples) is θ of seed s on these examples, indices into `group`; where it has none
// (a class without examples, say), there is no interval, and with all examples no estimate.
using Statistic = std::function<std::optional<double>(Index seed, std::span<const Index> examples)>;
std::optional<CrossedValues> crossed_statistic_values(Index n_seeds, std::span<const Index> group,
                                                      const Statistic& statistic);
std::optional<CrossedEstimate> crossed_statistic(Index n_seeds, std::span<const Index> group,
                                                 const Statistic& statistic, double alpha = 0.05);

}  // namespace attune
