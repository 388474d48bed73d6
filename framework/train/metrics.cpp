#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/loss.h"

namespace attune {
namespace {

const float* row(const Scored& s, Index i) { return s.logits.data() + i * s.n_classes; }

double mean_loss(const Scored& s) {
  double sum = 0;
  for (Index i = 0; i < s.size(); ++i)
    sum += loss_of_row(s.loss, row(s, i), s.n_classes, s.target[static_cast<std::size_t>(i)]);
  return sum / static_cast<double>(s.size());
}

std::optional<double> accuracy(const Scored& s) {
  const auto confusion = confusion_of(s);
  if (!confusion) return std::nullopt;
  Index right = 0;
  for (std::size_t c = 0; c < confusion->size(); ++c) right += (*confusion)[c][c];
  return static_cast<double>(right) / static_cast<double>(s.size());
}

std::optional<double> balanced_accuracy(const Scored& s) {
  const auto confusion = confusion_of(s);
  if (!confusion) return std::nullopt;
  double sum = 0;
  for (std::size_t c = 0; c < confusion->size(); ++c) {
    const std::vector<Index>& taken = (*confusion)[c];
    const Index all = std::accumulate(taken.begin(), taken.end(), Index{0});
    if (all == 0) return std::nullopt;
    sum += static_cast<double>(taken[c]) / static_cast<double>(all);
  }
  return sum / static_cast<double>(s.n_classes);
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

// Σ over the answers that rows [n] are of; each answer's rows stand together.
DecodedAnswer total_of(const Scored& s, Index& n_answers, Index& n_exact) {
  DecodedAnswer sum;
  n_answers = n_exact = 0;
  for (std::size_t i = 0; i < s.answer_of.size(); ++i) {
    if (i > 0 && s.answer_of[i] == s.answer_of[i - 1]) continue;
    const DecodedAnswer& answer = s.answers[static_cast<std::size_t>(s.answer_of[i])];
    sum.length += answer.length;
    sum.right += answer.right;
    sum.edits += answer.edits;
    n_answers += 1;
    n_exact += answer.exact();
  }
  return sum;
}

std::optional<double> answer_metric(const std::string& name, const Scored& s) {
  if (s.answer_of.empty()) return std::nullopt;
  Index n_answers = 0, n_exact = 0;
  const DecodedAnswer sum = total_of(s, n_answers, n_exact);
  const auto share = [](Index part, Index whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  if (name == "token_accuracy") return share(sum.right, sum.length + n_answers);
  if (name == "sequence_accuracy") return share(n_exact, n_answers);
  if (name == "sequence_error_rate") return share(n_answers - n_exact, n_answers);
  if (sum.length == 0) return std::nullopt;
  return share(sum.edits, sum.length);
}

// The labels of a split, where its examples have them, with logits that favour no class.
Scored undecided(const Dataset& data, Split split) {
  Scored labels;
  labels.n_classes = data.n_classes();
  if (!data.one_target()) return labels;
  for (Index i = 0; i < data.n_examples(split); ++i)
    labels.target.push_back(data.example(split, i).label);
  labels.logits.assign(static_cast<std::size_t>(labels.size() * labels.n_classes), 0.0F);
  return labels;
}

bool of_rows(const std::string& name) { return name == "loss" || name == "accuracy"; }

// Why these labels cannot have the metric; empty where they can.
std::string why_absent(const std::string& name, const Scored& labels, const Dataset& data,
                       Split split) {
  if (data.n_examples(split) == 0) return fmt::format("the {} split is empty", name_of(split));
  if (is_of_answers(name)) {
    const auto queries = data.queries();
    return queries && queries->decoded ? "" : "it is of data whose answers are decoded";
  }
  if (!data.one_target()) return of_rows(name) ? "" : "it is of examples that have one target each";
  if (classification_metric(name, labels)) return "";
  if (name == "auc" && labels.n_classes != 2)
    return fmt::format("auc needs two classes, and this data has {}", labels.n_classes);
  for (Index c = 0; c < labels.n_classes; ++c)
    if (std::find(labels.target.begin(), labels.target.end(), c) == labels.target.end())
      return fmt::format("none of the {} examples of the {} split is of class '{}'", labels.size(),
                         name_of(split), data.class_names()[static_cast<std::size_t>(c)]);
  return "it is no metric";
}

}  // namespace

std::optional<Confusion> confusion_of(const Scored& s) {
  const auto n = static_cast<std::size_t>(s.n_classes);
  Confusion counts(n, std::vector<Index>(n, 0));
  for (Index i = 0; i < s.size(); ++i) {
    const float* z = row(s, i);
    // Among NaN max_element would say the first, as if the model had chosen.
    if (std::any_of(z, z + n, [](float x) { return std::isnan(x); })) return std::nullopt;
    const auto taken = static_cast<std::size_t>(std::max_element(z, z + n) - z);
    counts[static_cast<std::size_t>(s.target[static_cast<std::size_t>(i)])][taken] += 1;
  }
  return counts;
}

const std::vector<MetricInfo>& classification_metrics() {
  static const std::vector<MetricInfo> metrics = {
      loss_metric("cross_entropy"),
      {"accuracy", "1", "share of examples whose largest logit is the target's", "maximize"},
      {"balanced_accuracy", "1", "mean over the classes of the share recognised", "maximize"},
      {"auc", "1", "area under the ROC curve of class 1", "maximize"},
      {"token_accuracy", "1",
       "share of the wanted tokens, the end among them, at their place in the decoded answer",
       "maximize"},
      {"sequence_accuracy", "1", "share of the decoded answers that are right as a whole",
       "maximize"},
      {"token_error_rate", "1", "edits from the decoded to the wanted answers over their tokens",
       "minimize"},
      {"sequence_error_rate", "1", "share of the decoded answers with an error", "minimize"}};
  return metrics;
}

bool is_of_answers(const std::string& metric) {
  return metric.starts_with("token_") || metric.starts_with("sequence_");
}

std::optional<double> classification_metric(const std::string& name, const Scored& scored) {
  ATTUNE_CHECK(scored.size() > 0, DataError, "metric '{}' needs at least one example", name);
  if (name == "loss") return mean_loss(scored);
  if (name == "accuracy") return accuracy(scored);
  if (name == "balanced_accuracy") return balanced_accuracy(scored);
  if (is_of_answers(name)) return answer_metric(name, scored);
  ATTUNE_CHECK(name == "auc", DataError, "there is no metric '{}'", name);
  return auc(scored);
}

std::vector<MetricInfo> available_metrics(const Dataset& data, Split split) {
  std::vector<MetricInfo> metrics;
  const Scored labels = undecided(data, split);
  for (const MetricInfo& m : classification_metrics())
    if (why_absent(m.name, labels, data, split).empty()) metrics.push_back(m);
  return metrics;
}

void require_metrics(const std::string& key, const std::vector<std::string>& paths,
                     const Dataset& data, std::optional<Index> fold) {
  for (const std::string& path : paths) {
    for (const Split split : {Split::val, Split::test}) {
      if (!path.starts_with(fmt::format("{}/", name_of(split)))) continue;
      const std::string name = path.substr(path.find('/') + 1);
      const std::string why = why_absent(name, undecided(data, split), data, split);
      if (why.empty()) continue;
      throw KeyedDataError(
          {key,
           fmt::format("{} asks for {}, which {}cannot be had: {}", key, path,
                       fold ? fmt::format("in fold {} ", *fold) : "", why),
           key == "select.by" ? "Set select.how=last, choose by another metric, or split otherwise "
                                "(data.split)"
           : !data.one_target()
               ? "Ask for loss or accuracy of a split that has examples (of a text "
                 "by data.val and data.test)"
               : "Leave it out, or split otherwise (data.split)",
           {}});
    }
  }
}

}  // namespace attune
