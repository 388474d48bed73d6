#include "study/pooled.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "storage/run_file.h"
#include "train/evaluate.h"

namespace attune {
namespace {

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

}  // namespace

PooledPredictions pooled(const std::vector<std::string>& paths, const std::string& split) {
  Predictions all;
  for (const std::string& path : paths) {
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
  PooledPredictions result;
  const auto width = static_cast<std::size_t>(all.n_outputs);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t i = order[k];
    ATTUNE_CHECK(
        k == 0 || place(order[k - 1]) != place(i), DamagedError,
        "example {} is in the {} split of two folds ({} and others): they were not made by "
        "one split. Remove the run files that do not belong here",
        all.example[i], split, paths.front());
    sorted.example[k] = all.example[i];
    sorted.target[k] = all.target[i];
    std::copy_n(all.output.data() + i * width, width, sorted.output.data() + k * width);
    result.group.push_back(all.group[i]);
  }
  result.scored = scored(sorted);
  result.example = std::move(sorted.example);
  return result;
}

std::optional<CrossedValues> crossed_values(const std::string& metric,
                                            std::span<const PooledPredictions> seeds) {
  const PooledPredictions& first = seeds.front();
  for (const PooledPredictions& seed : seeds)
    if (seed.example != first.example || seed.group != first.group) return std::nullopt;
  const auto value = [&](Index seed, std::span<const Index> examples) {
    return classification_metric(
        metric, part_of(seeds[static_cast<std::size_t>(seed)].scored, examples, metric));
  };
  const auto n_seeds = static_cast<Index>(seeds.size());
  if (metric != "loss" && metric != "accuracy")
    return crossed_statistic_values(n_seeds, first.group, value);
  std::vector<std::vector<double>> y(seeds.size());
  for (Index s = 0; s < n_seeds; ++s)
    for (Index i = 0; i < static_cast<Index>(first.example.size()); ++i)
      y[static_cast<std::size_t>(s)].push_back(value(s, {&i, 1}).value());
  return crossed_mean_values(y, first.group);
}

std::vector<EvalMetric> eval_metrics(const Predictions& p) {
  std::vector<EvalMetric> metrics;
  const std::vector<PooledPredictions> one = {{scored(p), p.example, p.group}};
  for (const MetricInfo& info : classification_metrics()) {
    const auto values = crossed_values(info.name, one);
    if (!values) continue;  // such as the AUC of one class
    const CrossedEstimate estimate = interval_of(*values);
    EvalMetric& m = metrics.emplace_back();
    m.metric = {"eval", info.name, estimate.value, info.units, info.goal, ""};
    if (!estimate.interval) continue;
    m.low = estimate.interval->low;
    m.high = estimate.interval->high;
  }
  return metrics;
}

}  // namespace attune
