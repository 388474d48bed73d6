#include "study/outcome.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "base/text.h"
#include "storage/run_file.h"
#include "train/evaluate.h"

namespace attune {
namespace {

using Over = MetricEstimate::Over;

// "test" of "test/auc", and "auc".
std::string split_of(const std::string& path) { return path.substr(0, path.find('/')); }
std::string metric_of(const std::string& path) { return path.substr(path.find('/') + 1); }

std::optional<double> final_value(const RunHead& head, const std::string& path) {
  for (const FinalMetric& m : head.final)
    if (m.split + "/" + m.name == path) return m.value;
  return std::nullopt;
}

// The trials of one seed.
struct SeedFiles {
  Index seed = 0;
  std::vector<std::string> paths;
  std::vector<RunHead> heads;
};

std::vector<SeedFiles> by_seed(const std::vector<TrialFile>& trials, RowOutcome& outcome) {
  std::vector<SeedFiles> seeds;
  for (const TrialFile& trial : trials) {
    if (seeds.empty() || seeds.back().seed != trial.seed) seeds.push_back({trial.seed, {}, {}});
    if (!trial.path) {
      outcome.n_missing += 1;
      continue;
    }
    seeds.back().paths.push_back(*trial.path);
    seeds.back().heads.push_back(read_run_head(*trial.path));
    outcome.n_diverged += seeds.back().heads.back().status == "diverged";
  }
  return seeds;
}

bool all_keep_predictions(const std::vector<SeedFiles>& seeds, const std::string& split) {
  return std::all_of(seeds.begin(), seeds.end(), [&](const SeedFiles& seed) {
    return std::all_of(seed.heads.begin(), seed.heads.end(), [&](const RunHead& head) {
      return std::find(head.predictions.begin(), head.predictions.end(), split) !=
             head.predictions.end();
    });
  });
}

// Whether a split was measured, and on the same data for all seeds: a file, or a draw that the
// run's seed does not move.
bool same_data(const std::vector<SeedFiles>& seeds, const std::string& split) {
  const auto& final = seeds.front().heads.front().final;
  return std::any_of(final.begin(), final.end(),
                     [&](const FinalMetric& m) { return m.split == split; }) &&
         std::all_of(seeds.begin(), seeds.end(), [&](const SeedFiles& seed) {
           return seed.heads.front().data_sha256 == seeds.front().heads.front().data_sha256;
         });
}

PooledPredictions pool(const SeedFiles& seed, const std::string& split) {
  Predictions all;
  for (const std::string& path : seed.paths) {
    const Predictions p = read_predictions(path, split);
    all.n_outputs = p.n_outputs;
    all.example.insert(all.example.end(), p.example.begin(), p.example.end());
    all.group.insert(all.group.end(), p.group.begin(), p.group.end());
    all.target.insert(all.target.end(), p.target.begin(), p.target.end());
    all.output.insert(all.output.end(), p.output.begin(), p.output.end());
    all.position.insert(all.position.end(), p.position.begin(), p.position.end());
    all.sequence.insert(all.sequence.end(), p.sequence.begin(), p.sequence.end());
    all.decoded.insert(all.decoded.end(), p.decoded.begin(), p.decoded.end());
    all.n_decoded = p.n_decoded;
    all.loss = p.loss;
  }
  const auto place = [&](std::size_t i) {
    return std::pair(all.example[i], all.position.empty() ? Index{0} : all.position[i]);
  };
  std::vector<std::size_t> order(all.example.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  // The decoded answers go by example, wherever they stand.
  Predictions sorted = all;
  PooledPredictions pooled;
  const auto width = static_cast<std::size_t>(all.n_outputs);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t i = order[k];
    ATTUNE_CHECK(k == 0 || place(order[k - 1]) != place(i), DamagedError,
                 "the folds of seed {} test example {} twice ({} and others): they were not made "
                 "by one split. Remove the run files that do not belong here",
                 seed.seed, all.example[i], seed.paths.front());
    sorted.example[k] = all.example[i];
    sorted.target[k] = all.target[i];
    std::copy_n(all.output.data() + i * width, width, sorted.output.data() + k * width);
    pooled.group.push_back(all.group[i]);
  }
  pooled.scored = scored(sorted);
  pooled.example = std::move(sorted.example);
  return pooled;
}

// A seed's value of a metric, and those of its folds: by folds that of its pooled test predictions,
// whatever single folds have, or the mean over the folds.
std::optional<double> seed_value(const SeedFiles& seed, const std::string& path,
                                 const PooledPredictions* pooled,
                                 std::vector<std::optional<double>>& by_fold) {
  double sum = 0;
  bool whole = true;
  for (const RunHead& head : seed.heads) {
    by_fold.push_back(final_value(head, path));
    whole = whole && by_fold.back();
    sum += by_fold.back().value_or(0);
  }
  if (pooled && split_of(path) == "test") {
    if (pooled->scored.size() == 0) return std::nullopt;
    return classification_metric(metric_of(path), pooled->scored);
  }
  return whole ? std::optional(sum / static_cast<double>(by_fold.size())) : std::nullopt;
}

// Some of the pooled examples, by their places, with what the metric needs.
Scored part_of(const Scored& all, std::span<const Index> examples, const std::string& metric) {
  Scored part{all.n_classes, {}, {}, all.loss};
  if (is_of_answers(metric)) part.answers = all.answers;
  for (const Index i : examples) {
    if (is_of_answers(metric)) {
      part.target.push_back(all.target[static_cast<std::size_t>(i)]);
      if (!all.answer_of.empty())
        part.answer_of.push_back(all.answer_of[static_cast<std::size_t>(i)]);
      continue;
    }
    part.target.push_back(all.target[static_cast<std::size_t>(i)]);
    const float* logits = all.logits.data() + i * all.n_classes;
    part.logits.insert(part.logits.end(), logits, logits + all.n_classes);
  }
  return part;
}

MetricEstimate estimate_of(const RowOutcome& row, const RowOutcome::Metric& metric) {
  const MeanEstimate plain = mean_with_t_interval(metric.values);
  MetricEstimate estimate{plain.n, plain.mean, plain.interval, Over::seeds, std::nullopt};
  if (plain.n == 1) estimate.over = Over::one_seed;
  const auto pooled = row.pooled.find(split_of(metric.path));
  if (pooled == row.pooled.end()) return estimate;
  const auto crossed = crossed_estimate(metric_of(metric.path), pooled->second);
  if (!crossed) return estimate;
  // Of one group the variance between groups cannot be told: what is left is over seeds, for the
  // examples as they are.
  if (crossed->n_groups == 1 || !crossed->interval) {
    estimate.over = plain.n == 1 ? Over::one_group : Over::these_examples;
    return estimate;
  }
  estimate.mean = crossed->value;
  estimate.interval = crossed->interval;
  estimate.over = plain.n == 1 ? Over::groups : Over::seeds_and_groups;
  if (plain.n > 1 && crossed->seed_variance + crossed->group_variance > 0)
    estimate.group_share = crossed->group_share();
  return estimate;
}

}  // namespace

std::optional<CrossedEstimate> crossed_estimate(const std::string& metric,
                                                const std::vector<PooledPredictions>& seeds) {
  const PooledPredictions& first = seeds.front();
  for (const PooledPredictions& seed : seeds)
    if (seed.example != first.example || seed.group != first.group) return std::nullopt;
  const auto value = [&](Index seed, std::span<const Index> examples) {
    return classification_metric(
        metric, part_of(seeds[static_cast<std::size_t>(seed)].scored, examples, metric));
  };
  const auto n_seeds = static_cast<Index>(seeds.size());
  if (metric != "loss" && metric != "accuracy")
    return crossed_statistic(n_seeds, first.group, value);
  std::vector<std::vector<double>> y(seeds.size());
  for (Index s = 0; s < n_seeds; ++s)
    for (Index i = 0; i < static_cast<Index>(first.example.size()); ++i)
      y[static_cast<std::size_t>(s)].push_back(value(s, {&i, 1}).value());
  return crossed_mean(y, first.group);
}

std::vector<EvalMetric> eval_metrics(const Predictions& p) {
  std::vector<EvalMetric> metrics;
  const std::vector<PooledPredictions> one = {{scored(p), p.example, p.group}};
  for (const MetricInfo& info : classification_metrics()) {
    const auto estimate = crossed_estimate(info.name, one);
    if (!estimate) continue;  // such as the AUC of one class
    EvalMetric& m = metrics.emplace_back();
    m.metric = {"eval", info.name, estimate->value, info.units, info.goal, ""};
    if (!estimate->interval) continue;
    m.low = estimate->interval->low;
    m.high = estimate->interval->high;
  }
  return metrics;
}

RowOutcome outcome_of_row(const std::string& row, const FoldPlan& folds,
                          const std::vector<TrialFile>& trials,
                          const std::vector<std::string>& metrics) {
  RowOutcome outcome;
  outcome.row = row;
  outcome.folds = folds;
  outcome.n_trials = static_cast<Index>(trials.size());
  std::vector<SeedFiles> seeds = by_seed(trials, outcome);
  if (outcome.n_missing > 0) return outcome;
  std::erase_if(seeds, [](const SeedFiles& seed) {
    return std::any_of(seed.heads.begin(), seed.heads.end(),
                       [](const RunHead& head) { return head.status == "diverged"; });
  });
  for (const SeedFiles& seed : seeds) outcome.seeds.push_back(seed.seed);
  if (seeds.empty()) return outcome;
  const bool by_fold = !folds.trials.empty();
  for (const char* split : {"test", "val"}) {
    const bool asked = std::any_of(metrics.begin(), metrics.end(), [&](const std::string& path) {
      return split_of(path) == split;
    });
    const bool test = split == std::string_view("test");
    if (by_fold ? !test
                : !asked || seeds.size() == 1 || !same_data(seeds, split) ||
                      !all_keep_predictions(seeds, split))
      continue;
    for (const SeedFiles& seed : seeds) outcome.pooled[split].push_back(pool(seed, split));
  }
  for (const std::string& path : metrics) {
    RowOutcome::Metric metric{path, {}, {}, {}};
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      std::vector<std::optional<double>> of_folds;
      // Without folds the trial's own value is the seed's.
      const auto value =
          seed_value(seeds[s], path, by_fold ? &outcome.pooled["test"][s] : nullptr, of_folds);
      if (!value) break;
      metric.values.push_back(*value);
      if (by_fold) metric.by_fold.push_back(std::move(of_folds));
    }
    if (metric.values.size() < seeds.size()) continue;
    metric.estimate = estimate_of(outcome, metric);
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
