#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/data_kinds.h"
#include "stats/crossed.h"
#include "storage/eval_file.h"
#include "train/metrics.h"

namespace attune {

// A trial of a row, and its run file once it is finished.
struct TrialFile {
  Index seed = 0;
  std::optional<Index> fold;
  std::optional<std::string> path;
};

// Test examples of one seed, each predicted once, by the fold that held it out; by rising id.
struct PooledPredictions {
  Scored scored;
  std::vector<Index> example, group;
};

// A metric's mean over seeds, with its interval crossed over seeds and groups: means over examples
// as such, other statistics by pseudo-values (stats/crossed.h). None where the seeds were not
// tested on the same examples, or these cannot have it.
std::optional<CrossedEstimate> crossed_estimate(const std::string& metric,
                                                const std::vector<PooledPredictions>& seeds);

// Every metric that the predictions of one model can have, with its interval over their groups.
std::vector<EvalMetric> eval_metrics(const Predictions& predictions);

// The mean of a metric over seeds, with its 95 % interval, where there is one.
struct MetricEstimate {
  // What else the interval holds for. Where all seeds were measured on the same examples it is
  // crossed over seeds and groups (stats/crossed.h), as far as these can be left out one by one.
  enum class Over {
    one_seed,        // no interval
    one_group,       // no interval: one seed, and one group holds all examples, or all of a class
    seeds,           // Student's over seeds: with data that each redraws, every source of variation
    these_examples,  // the same, for no others: groups as under one_group
    groups,          // new groups given these training data, for the one seed
    seeds_and_groups  // new groups given these training data
  };
  Index n_seeds = 0;
  double mean = 0;
  std::optional<Interval> interval;
  Over over = Over::seeds;
  std::optional<double> group_share;  // of the variance, over seeds_and_groups where it is not 0
};

// What the trials of a row have come to: one value a seed and metric, since seeds are the
// replicates, whatever the number of folds. With folds a test metric is that of a seed's pooled
// predictions, which may exist where no fold has one; the metrics of other splits, whose examples
// come in several folds, are means over the folds. A seed of which a trial diverged has no value;
// while trials are missing no seed has.
struct RowOutcome {
  struct Metric {
    std::string path;            // "test/accuracy"
    std::vector<double> values;  // of `seeds`
    // [seed][fold of folds.trials], none where a fold cannot have it; empty without folds
    std::vector<std::vector<std::optional<double>>> by_fold;
    MetricEstimate estimate;
  };
  std::string row;
  FoldPlan folds;
  Index n_trials = 0, n_missing = 0, n_diverged = 0;
  std::vector<Index> seeds;  // with values, in the order of the trials
  std::vector<Metric> metrics;
  // By split, of `seeds`, where these have the same data: test, and val where there are no folds.
  std::map<std::string, std::vector<PooledPredictions>> pooled;
};

// Reads run files: heads, and /predictions where there are folds, or several seeds have the same
// data and keep them. Trials come seed by seed. A metric that a seed does not have is left out of
// the row.
RowOutcome outcome_of_row(const std::string& row, const FoldPlan& folds,
                          const std::vector<TrialFile>& trials,
                          const std::vector<std::string>& metrics);

// "fold 0 of 5 only", "folds 0, 2 of 5 only"; empty where all folds or none are trials.
std::string partial_folds_text(const FoldPlan& folds);

}  // namespace attune
