#include "kernels/attention_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention/drivers.h"
#include "kernels/attention/support.h"

namespace attune::kernels {
namespace {

// NaN where there is one.
template <class Real>
Real largest_of(const Real* x, Index n) {
  Real top = -std::numeric_limits<Real>::infinity();
  for (Index t = 0; t < n && !std::isnan(top); ++t)
    if (std::isnan(x[t]) || x[t] > top) top = x[t];
  return top;
}

template <class Real>
void read_head(const AttentionCall<Real>& c, const Head<Real>& head, WeightRow<Real> row,
               const WeightReader<Real>& read) {
  const AttentionOptions& o = c.options;
  const Index n_q = head.sight.n_q, n_k = head.sight.n_k;
  if (n_q == 0) return;
  Scratch scratch;
  StripScores<Real> scores(head, 0, n_q, scratch);
  Support<Real> support(head, scores.widest(), scratch);
  Real* const weights = scratch.allocate<Real>(n_k);
  row.weights = {weights, static_cast<std::size_t>(n_k)};
  const PatternPart& pattern = part_of(pattern_parts, o.pattern);
  const auto inverse_temperature = static_cast<Real>(1 / o.temperature);
  while (scores.next()) {
    for (Index r = 0; r < scores.strip().n; ++r) {
      row.query = scores.strip().first + r;
      row.seen = pattern.keys(head.sight, row.query).count;
      row.largest = largest_of(scores.row(r), scores.keys(r).count) * inverse_temperature;
      support.find(scores.keys(r), scores.row(r));
      std::fill_n(weights, n_k, Real(0));
      const KeySet keys = support.keys();
      for (Index t = 0; t < keys.count; ++t) weights[keys[t]] = support.weights()[t];
      read(row);
    }
  }
}

}  // namespace

template <class Real>
void attention_weights_by_rows(const AttentionCall<Real>& c, const WeightReader<Real>& read) {
  Scratch scratch;
  const MeanKeys<Real> means(c, scratch);
  for (Index e = 0; e < c.n_examples(); ++e) {
    for (Index h = 0; h < c.options.n_heads; ++h) {
      Head<Real> head = head_of(c, e, h);
      head.means = means.of(c, e, h);
      WeightRow<Real> row;
      row.sequence = e;
      row.head = head.head;
      read_head(c, head, row, read);
    }
  }
}

template <class Real>
void linear_attention_weights(const LinearAttentionOptions& o, View<const std::int32_t> q_offsets,
                              View<const std::int32_t> k_offsets, Rows<const Real> q,
                              Rows<const Real> k, const WeightReader<Real>& read) {
  const Index d = q.width / o.n_heads;
  for (Index e = 0; e + 1 < q_offsets.size(); ++e) {
    const Index n_q = q_offsets[e + 1] - q_offsets[e], n_k = k_offsets[e + 1] - k_offsets[e];
    Scratch scratch;
    double* const products = scratch.allocate<double>(n_k);
    Real* const weights = scratch.allocate<Real>(n_k);
    for (Index h = 0; h < o.n_heads; ++h) {
      const auto queries = part(q.slice(h * d, d), q_offsets[e], n_q);
      const auto keys = part(k.slice(h * o.n_kv_heads / o.n_heads * d, d), k_offsets[e], n_k);
      for (Index i = 0; i < n_q; ++i) {
        const Index seen = o.causal ? std::min(i + 1, n_k) : n_k;
        double total = 0;
        for (Index j = 0; j < seen; ++j) {
          products[j] = 0;
          for (Index f = 0; f < d; ++f)
            products[j] += static_cast<double>(queries.row(i)[f]) * keys.row(j)[f];
          total += products[j];
        }
        std::fill_n(weights, n_k, Real(0));
        for (Index j = 0; j < seen && total != 0; ++j)
          weights[j] = static_cast<Real>(products[j] / total);
        read({e,
              h,
              i,
              seen,
              std::numeric_limits<Real>::quiet_NaN(),
              {weights, static_cast<std::size_t>(n_k)}});
      }
    }
  }
}

template void attention_weights_by_rows(const AttentionCall<float>&, const WeightReader<float>&);
template void attention_weights_by_rows(const AttentionCall<double>&, const WeightReader<double>&);
template void linear_attention_weights(const LinearAttentionOptions&, View<const std::int32_t>,
                                       View<const std::int32_t>, Rows<const float>,
                                       Rows<const float>, const WeightReader<float>&);
template void linear_attention_weights(const LinearAttentionOptions&, View<const std::int32_t>,
                                       View<const std::int32_t>, Rows<const double>,
                                       Rows<const double>, const WeightReader<double>&);

}  // namespace attune::kernels
