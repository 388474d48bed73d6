#include "study/row_runs.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "train/metrics.h"

namespace attune {

bool RowRuns::Replicate::diverged() const {
  return std::any_of(runs.begin(), runs.end(),
                     [](const Run& run) { return run.head.status == "diverged"; });
}

std::string RowRuns::Replicate::name() const {
  return repeat ? fmt::format("repeat {}", *repeat) : fmt::format("seed {}", seed);
}

RowRuns::RowRuns(std::string row, FoldPlan folds, const std::vector<TrialFile>& trials)
    : row_(std::move(row)), folds_(std::move(folds)) {
  for (const TrialFile& trial : trials) {
    // Repeats may come in rounds.
    auto same = std::find_if(replicates_.rbegin(), replicates_.rend(), [&](const Replicate& r) {
      return r.seed == trial.seed && r.repeat == trial.repeat;
    });
    if (same == replicates_.rend()) {
      replicates_.push_back({trial.seed, trial.repeat, {}, 0});
      same = replicates_.rbegin();
    }
    same->n_trials += 1;
    if (trial.path)
      same->runs.push_back({*trial.path, trial.head ? *trial.head : read_run_head(*trial.path)});
  }
}

RowRuns RowRuns::of_seeds(const std::vector<Index>& seeds) const {
  RowRuns some(row_, folds_, {});
  for (const Replicate& replicate : replicates_)
    if (std::find(seeds.begin(), seeds.end(), replicate.seed) != seeds.end())
      some.replicates_.push_back(replicate);
  return some;
}

Index RowRuns::n_missing() const {
  Index n = 0;
  for (const Replicate& r : replicates_) n += r.n_trials - static_cast<Index>(r.runs.size());
  return n;
}

Index RowRuns::n_diverged() const {
  Index n = 0;
  for (const Replicate& r : replicates_)
    n += std::count_if(r.runs.begin(), r.runs.end(),
                       [](const Run& run) { return run.head.status == "diverged"; });
  return n;
}

namespace {

bool is_sound(const RowRuns::Replicate& r) { return !r.missing() && !r.diverged(); }

bool keep_predictions(const RowRuns::Replicate& replicate, const std::string& split) {
  return std::all_of(replicate.runs.begin(), replicate.runs.end(), [&](const RowRuns::Run& run) {
    return std::find(run.head.predictions.begin(), run.head.predictions.end(), split) !=
           run.head.predictions.end();
  });
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

}  // namespace

const std::vector<PooledPredictions>* RowRuns::pooled(const std::string& split) const {
  const auto known = pooled_.find(split);
  if (known != pooled_.end()) return known->second ? &*known->second : nullptr;
  std::optional<std::vector<PooledPredictions>>& all = pooled_[split];
  if (split != "test" && (split != "val" || !folds_.trials.empty())) return nullptr;
  std::vector<PooledPredictions> found;
  for (const Replicate& replicate : replicates_) {
    if (!is_sound(replicate)) continue;
    if (!keep_predictions(replicate, split)) return nullptr;
    std::vector<std::string> paths;
    for (const Run& run : replicate.runs) paths.push_back(run.path);
    found.push_back(attune::pooled(paths, split));
  }
  all = std::move(found);
  return &*all;
}

bool RowRuns::same_data() const {
  const Replicate* first = nullptr;
  for (const Replicate& replicate : replicates_) {
    if (!is_sound(replicate)) continue;
    if (!first) first = &replicate;
    if (replicate.runs.front().head.data_sha256 != first->runs.front().head.data_sha256)
      return false;
  }
  return first != nullptr && !first->runs.front().head.data_sha256.empty();
}

std::optional<CrossedValues> RowRuns::crossed(const Scalar& scalar) const {
  if (scalar.source != Scalar::Source::final || scalar.is_count()) return std::nullopt;
  const auto& known = classification_metrics();
  const bool of_predictions = std::any_of(
      known.begin(), known.end(), [&](const MetricInfo& info) { return info.name == scalar.name; });
  if (!of_predictions || !same_data()) return std::nullopt;
  const auto* predictions = pooled(scalar.split);
  if (!predictions || predictions->empty()) return std::nullopt;
  return crossed_values(scalar.name, *predictions);
}

std::vector<RowRuns::Value> RowRuns::values(const Scalar& scalar) const {
  std::vector<Value> values;
  std::size_t place = 0;  // among those that the pooled predictions are of
  for (const Replicate& replicate : replicates_) {
    Value& value = values.emplace_back();
    if (replicate.missing()) continue;
    if (replicate.diverged()) {
      value.state = Value::State::diverged;
      continue;
    }
    value = value_of(replicate, scalar, place++);
  }
  return values;
}

RowRuns::Value RowRuns::value_of(const Replicate& replicate, const Scalar& scalar,
                                 std::size_t place) const {
  Value value{Value::State::absent};
  bool whole = true;
  std::vector<double> means;
  for (const Run& run : replicate.runs) {
    const std::vector<double> found = scalar_values(scalar, run.path, run.head);
    value.all.insert(value.all.end(), found.begin(), found.end());
    value.by_fold.push_back(found.empty() ? std::nullopt : std::optional(mean_of(found)));
    whole = whole && !found.empty();
    if (!found.empty()) means.push_back(*value.by_fold.back());
  }
  if (folds_.trials.empty()) value.by_fold.clear();
  const bool pools =
      !folds_.trials.empty() && scalar.source == Scalar::Source::final && scalar.split == "test";
  if (pools) {
    const auto* all = pooled("test");
    if (all && (*all)[place].scored.size() > 0)
      if (const auto metric = classification_metric(scalar.name, (*all)[place].scored)) {
        value.state = std::isfinite(*metric) ? Value::State::measured : Value::State::diverged;
        value.value = *metric;
        value.all = {*metric};
      }
    return value;
  }
  if (!whole) return value;
  value.value = mean_of(means);
  value.state = std::isfinite(value.value) ? Value::State::measured : Value::State::diverged;
  return value;
}

}  // namespace attune
