#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/data_kinds.h"
#include "storage/run_file.h"
#include "study/pooled.h"
#include "study/scalar.h"

namespace attune {

// A trial of a row, and its run file once it is finished.
struct TrialFile {
  Index seed = 0;
  std::optional<Index> fold;
  std::optional<std::string> path;
  std::optional<Index> repeat = std::nullopt;
  std::optional<RunHead> head = std::nullopt;  // where it is known; else it is read
};

// What the trials of one row have left. Replicates are seeds, whatever the number of folds
// (docs/architecture.md), or repeats of a measurement.
class RowRuns {
 public:
  // Trials come replicate by replicate, each with all its folds.
  RowRuns(std::string row, FoldPlan folds, const std::vector<TrialFile>& trials);

  struct Run {
    std::string path;
    RunHead head;
  };
  struct Replicate {
    Index seed = 0;
    std::optional<Index> repeat;
    std::vector<Run> runs;  // one a fold; fewer while trials are missing
    Index n_trials = 0;
    bool missing() const { return n_trials > static_cast<Index>(runs.size()); }
    bool diverged() const;
    // "seed 3", "repeat 4"
    std::string name() const;
  };
  // The same of some seeds alone.
  RowRuns of_seeds(const std::vector<Index>& seeds) const;
  const std::string& row() const { return row_; }
  const FoldPlan& folds() const { return folds_; }
  const std::vector<Replicate>& replicates() const { return replicates_; }
  Index n_missing() const;
  Index n_diverged() const;  // trials

  // A replicate's number: with folds a test metric is that of the pooled predictions, which may
  // exist where no fold has one, any other number the mean over the folds. `all` are the elements
  // that a probe's open dimensions leave, whose mean the value is.
  struct Value {
    enum class State { measured, absent, diverged, missing };
    State state = State::missing;
    double value = 0;
    std::vector<double> all = {};
    std::vector<std::optional<double>> by_fold = {};
  };
  std::vector<Value> values(const Scalar& scalar) const;

  // Predictions of those that finished without divergence, in their order: of test, and where there
  // are no folds of val. Null where they are not kept.
  const std::vector<PooledPredictions>* pooled(const std::string& split) const;
  // Whether all of them were measured on the same data: a file, or a draw that the run's seed does
  // not move.
  bool same_data() const;
  // A metric of those replicates, by groups of examples. None where it is no metric of predictions
  // at the chosen step, or these are not kept or not of the same examples.
  std::optional<CrossedValues> crossed(const Scalar& scalar) const;

 private:
  Value value_of(const Replicate& replicate, const Scalar& scalar, std::size_t place) const;

  std::string row_;
  FoldPlan folds_;
  std::vector<Replicate> replicates_;
  mutable std::map<std::string, std::optional<std::vector<PooledPredictions>>> pooled_;
};

}  // namespace attune
