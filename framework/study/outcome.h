#pragma once

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

// The mean of a metric over seeds, with its 95 % interval. That of a test metric is crossed over
// seeds and test groups (stats/crossed.h), for new groups given these training data, where all
// seeds have the same data. Any other is Student's over seeds, which holds every source of
// variation where the seed redraws the data.
struct MetricEstimate {
  Index n_seeds = 0;
  double mean = 0;
  std::optional<Interval> interval;
  std::optional<double> group_share;  // of the variance, where it is crossed
};

// What the trials of a row have come to: one value a seed and metric, since seeds are the
// replicates, whatever the number of folds. With folds a test metric is that of a seed's pooled
// predictions; the metrics of other splits, whose examples come in several folds, are means over
// the folds. A seed of which a trial diverged has no value; while trials are missing no seed has.
struct RowOutcome {
  struct Metric {
    std::string path;                          // "test/accuracy"
    std::vector<double> values;                // of `seeds`
    std::vector<std::vector<double>> by_fold;  // [seed][fold of folds.trials]; empty without folds
    MetricEstimate estimate;
  };
  std::string row;
  FoldPlan folds;
  Index n_trials = 0, n_missing = 0, n_diverged = 0;
  std::vector<Index> seeds;  // with values, in the order of the trials
  std::vector<Metric> metrics;
  std::vector<PooledPredictions> pooled;  // of `seeds`, where they have the same data
};

// Reads run files: heads, and /predictions/test where there are folds, or several seeds have the
// same data. Trials come seed by seed. A metric that a finished trial does not have is left out of
// the row.
RowOutcome outcome_of_row(const std::string& row, const FoldPlan& folds,
                          const std::vector<TrialFile>& trials,
                          const std::vector<std::string>& metrics);

// "fold 0 of 5 only", "folds 0, 2 of 5 only"; empty where all folds or none are trials.
std::string partial_folds_text(const FoldPlan& folds);

}  // namespace attune
