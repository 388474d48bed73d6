#include "study/outcome.h"

#include <algorithm>

#include "base/text.h"

namespace attune {
namespace {

using Over = MetricEstimate::Over;

MetricEstimate estimate_of(const RowRuns& runs, const Scalar& scalar,
                           const std::vector<double>& values) {
  const MeanEstimate plain = mean_with_t_interval(values);
  MetricEstimate estimate{plain.n, plain.mean, plain.interval, Over::seeds, std::nullopt};
  if (plain.n == 1) estimate.over = Over::one_seed;
  // One seed's test examples are a sample too where folds leave each group out once.
  if (plain.n == 1 && runs.folds().trials.empty()) return estimate;
  const auto values_by_group = runs.crossed(scalar);
  if (!values_by_group) return estimate;
  const CrossedEstimate crossed = interval_of(*values_by_group);
  // Of one group the variance between groups cannot be told: what is left is over seeds, for the
  // examples as they are.
  if (crossed.n_groups == 1 || !crossed.interval) {
    estimate.over = plain.n == 1 ? Over::one_group : Over::these_examples;
    return estimate;
  }
  estimate.mean = crossed.value;
  estimate.interval = crossed.interval;
  estimate.over = plain.n == 1 ? Over::groups : Over::seeds_and_groups;
  if (plain.n > 1 && crossed.seed_variance + crossed.group_variance > 0)
    estimate.group_share = crossed.group_share();
  return estimate;
}

}  // namespace

RowOutcome outcome_of_row(const RowRuns& runs, const std::vector<std::string>& metrics) {
  using State = RowRuns::Value::State;
  RowOutcome outcome;
  outcome.row = runs.row();
  outcome.folds = runs.folds();
  for (const RowRuns::Replicate& r : runs.replicates()) outcome.n_trials += r.n_trials;
  outcome.n_missing = runs.n_missing();
  outcome.n_diverged = runs.n_diverged();
  if (outcome.n_missing > 0) return outcome;
  for (const RowRuns::Replicate& r : runs.replicates())
    if (!r.diverged()) outcome.seeds.push_back(r.seed);
  for (const std::string& path : metrics) {
    std::string why;
    const auto scalar = parse_scalar(path, why);
    ATTUNE_CHECK(scalar, DataError, "'{}' {}", path, why);
    RowOutcome::Metric metric{path, {}, {}, {}};
    const std::vector<RowRuns::Value> values = runs.values(*scalar);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].state != State::measured) continue;
      metric.values.push_back(values[i].value);
      if (!runs.folds().trials.empty()) metric.by_fold.push_back(values[i].by_fold);
    }
    if (metric.values.empty() || metric.values.size() < outcome.seeds.size()) continue;
    metric.estimate = estimate_of(runs, *scalar, metric.values);
    outcome.metrics.push_back(std::move(metric));
  }
  return outcome;
}

std::string partial_folds_text(const FoldPlan& folds) {
  if (static_cast<Index>(folds.trials.size()) == folds.count) return {};
  std::vector<std::string> numbers;
  for (const Index fold : folds.trials) numbers.push_back(std::to_string(fold));
  return fmt::format("fold{} {} of {} only", numbers.size() == 1 ? "" : "s", join(numbers),
                     folds.count);
}

}  // namespace attune
