#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stats/interval.h"
#include "study/row_runs.h"

namespace attune {

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
  std::vector<Index> seeds;  // with values, in the order of the trials; of repeats one each
  std::vector<Metric> metrics;
};

// A metric that a seed does not have is left out of the row.
RowOutcome outcome_of_row(const RowRuns& runs, const std::vector<std::string>& metrics);

// "fold 0 of 5 only", "folds 0, 2 of 5 only"; empty where all folds or none are trials.
std::string partial_folds_text(const FoldPlan& folds);

}  // namespace attune
