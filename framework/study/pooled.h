#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/crossed.h"
#include "storage/eval_file.h"
#include "train/metrics.h"

namespace attune {

// Examples of one seed, each predicted once; by rising id. Of folds the test examples of all.
struct PooledPredictions {
  Scored scored;
  std::vector<Index> example, group;
};

// /predictions/<split> of the run files of one seed, one a fold. DamagedError when two of them
// predict one example.
PooledPredictions pooled(const std::vector<std::string>& paths, const std::string& split);

// A metric of each seed, by groups (stats/crossed.h): means over examples as such, other statistics
// by pseudo-values. None where the seeds were not measured on the same examples, or these cannot
// have it.
std::optional<CrossedValues> crossed_values(const std::string& metric,
                                            std::span<const PooledPredictions> seeds);

// Every metric that the predictions of one model can have, with its interval over their groups.
std::vector<EvalMetric> eval_metrics(const Predictions& predictions);

}  // namespace attune
