#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/math.h"

namespace attune {
namespace {

const float* row(const Scored& s, Index i) { return s.logits.data() + i * s.n_classes; }

double mean_loss(const Scored& s) {
  double sum = 0;
  for (Index i = 0; i < s.size(); ++i) {
    const float* z = row(s, i);
    const double high = *std::max_element(z, z + s.n_classes);
    double total = 0;
    for (Index c = 0; c < s.n_classes; ++c) total += kernels::exp(z[c] - high);
    sum += kernels::log(total) + high - z[s.target[static_cast<std::size_t>(i)]];
  }
  return sum / static_cast<double>(s.size());
}

std::optional<double> accuracy(const Scored& s) {
  Index right = 0;
  for (Index i = 0; i < s.size(); ++i) {
    const float* z = row(s, i);
    // Among NaN there is no largest; max_element would say the first, as if the model had chosen.
    if (std::any_of(z, z + s.n_classes, [](float x) { return std::isnan(x); })) return std::nullopt;
    right += std::max_element(z, z + s.n_classes) - z == s.target[static_cast<std::size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(s.size());
}

std::optional<double> auc(const Scored& s) {
  if (s.n_classes != 2) return std::nullopt;
  const auto n = static_cast<std::size_t>(s.size());
  std::vector<double> score(n);
  for (std::size_t i = 0; i < n; ++i)
    score[i] = static_cast<double>(s.logits[2 * i + 1]) - static_cast<double>(s.logits[2 * i]);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  double positives = 0, rank_sum = 0;
  for (std::size_t first = 0; first < n;) {
    std::size_t last = first;
    while (last < n && score[order[last]] == score[order[first]]) ++last;
    const double mean_rank = 0.5 * static_cast<double>(first + last + 1);
    for (std::size_t k = first; k < last; ++k)
      if (s.target[order[k]] == 1) {
        ++positives;
        rank_sum += mean_rank;
      }
    if (last == first) return std::nullopt;  // NaN scores have no order
    first = last;
  }
  const double negatives = static_cast<double>(n) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (rank_sum - 0.5 * positives * (positives + 1)) / (positives * negatives);
}

}  // namespace

const std::vector<MetricInfo>& classification_metrics() {
  static const std::vector<MetricInfo> metrics = {
      {"loss", "nat", "mean cross-entropy", "minimize"},
      {"accuracy", "1", "share of examples whose largest logit is the target's", "maximize"},
      {"auc", "1", "area under the ROC curve of class 1", "maximize"}};
  return metrics;
}

std::optional<double> classification_metric(const std::string& name, const Scored& scored) {
  ATTUNE_CHECK(scored.size() > 0, DataError, "metric '{}' needs at least one example", name);
  if (name == "loss") return mean_loss(scored);
  if (name == "accuracy") return accuracy(scored);
  return auc(scored);
}

}  // namespace attune
