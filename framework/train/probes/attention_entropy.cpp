#include "train/probes/attention_entropy.h"

#include <cmath>

namespace attune {
namespace {

double entropy(std::span<const float> weights) {
  double sum = 0;
  for (const float w : weights) {
    const double p = w;
    if (p != 0) sum -= p * std::log(p);
  }
  return sum;
}

class AttentionEntropy : public Probe {
 public:
  AttentionEntropy(const AttentionEntropyOptions& options, const ProbeSubject& subject)
      : options_(options), look_(subject, Split::val, options.examples(subject.data)) {}

  ProbeTable table() const override {
    return table_by_head(options_.info(), look_.subject().model);
  }

  Row at_state(Index step) override {
    if (!options_.due(step, *look_.subject().steps)) return {};
    const ModelOptions& model = look_.subject().model;
    const auto heads = static_cast<std::size_t>(model.encoder()->n_heads),
               n = static_cast<std::size_t>(model.n_attentions()) * heads;
    std::vector<double> row(2 * n, 0.0), queries(2 * n, 0.0);
    look_.each_query([&](std::size_t layer, const kernels::WeightRow<float>& query) {
      if (query.seen == 0) return;
      const std::size_t at = layer * heads + static_cast<std::size_t>(query.head);
      const double h = entropy(query.weights);
      row[at] += h;
      queries[at] += 1;
      if (query.seen == 1) return;
      row[n + at] += h / std::log(static_cast<double>(query.seen));
      queries[n + at] += 1;
    });
    for (std::size_t i = 0; i < row.size(); ++i) row[i] /= queries[i];
    return row;
  }

 private:
  AttentionEntropyOptions options_;
  Look look_;
};

}  // namespace

const ProbeInfo& AttentionEntropyOptions::info() const {
  static const ProbeInfo info{
      "attention_entropy",
      "entropy of the attention weights, mean over queries, and its share of the largest one",
      {"step", "layer", "head"},
      {{"entropy", "nats", "entropy of the attention weights of a query, mean over queries"},
       {"share", "1",
        "the same over log(keys that the query may see), queries of one key left out"}},
      "over all queries of the first validation examples, without dropout, with the parameters "
      "after `step` updates"};
  return info;
}

std::unique_ptr<Probe> AttentionEntropyOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<AttentionEntropy>(*this, subject);
}

}  // namespace attune
