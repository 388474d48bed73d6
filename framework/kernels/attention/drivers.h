#pragma once

#include "kernels/attention/strip_scores.h"
#include "kernels/attention_weights.h"

// The two drivers behind attention(), and what cuts a pack into heads.
namespace attune::kernels {

// Whether the tiled driver takes these options; the row driver takes all.
inline bool is_tiled(const AttentionOptions& o) {
  return part_of(score_parts<double>, o.score).product && o.bias == Bias::none &&
         (o.pattern == Pattern::full || o.pattern == Pattern::causal) && o.select == Select::all &&
         o.normaliser == Normaliser::softmax;
}

// Whether every key that a query sees has a weight, and keys have no gaps.
inline bool is_dense(const AttentionOptions& o) {
  return part_of(pattern_parts, o.pattern).joined && o.select == Select::all &&
         !part_of(normaliser_parts<double>, o.normaliser).sparse;
}

template <class Real>
struct AttentionCall {
  const AttentionOptions& options;
  const AttentionRows& rows;
  Rows<const Real> q, k, v;
  AttentionParameters<const Real> parameters;

  Index n_examples() const { return rows.q_offsets.size() - 1; }
  Index queries(Index e) const { return rows.q_offsets[e + 1] - rows.q_offsets[e]; }
  Index keys(Index e) const { return rows.k_offsets[e + 1] - rows.k_offsets[e]; }
  Index kv_head(Index h) const { return h * options.n_kv_heads / options.n_heads; }
};

template <class Real>
struct AttentionGradients {
  Rows<const Real> dy, y;
  View<const Real> lse;
  Rows<Real> dq, dk, dv;
  AttentionParameters<Real> parameters;
  View<const Real> dlse = {};  // absent where nobody asked for lse's
  FreshRows fresh = {};        // the tiled driver's; others are given zeros
};

// Heads of different widths: runs of one width, each an attention() of its own.
template <class Real>
void attention_of_widths(const AttentionCall<Real>& call, Rows<Real> y, View<Real> lse);
template <class Real>
void attention_of_widths_backward(const AttentionCall<Real>& call,
                                  const AttentionGradients<Real>& g);
template <class Real>
void attention_weights_of_widths(const AttentionCall<Real>& call, const WeightReader<Real>& read);

// Score cosine, and a gain by head: an attention() of other queries and keys.
template <class Real>
bool is_prepared(const AttentionCall<Real>& call) {
  return call.options.score == Score::cosine || call.parameters.gain;
}
template <class Real>
void attention_of_prepared(const AttentionCall<Real>& call, Rows<Real> y, View<Real> lse);
template <class Real>
void attention_of_prepared_backward(const AttentionCall<Real>& call,
                                    const AttentionGradients<Real>& g);
template <class Real>
void attention_weights_of_prepared(const AttentionCall<Real>& call, const WeightReader<Real>& read);

// Operands have been checked, here and below.
template <class Real>
void attention_tiled(const AttentionCall<Real>& call, Rows<Real> y, View<Real> lse);
template <class Real>
void attention_tiled_backward(const AttentionCall<Real>& call, const AttentionGradients<Real>& g);
template <class Real>
void attention_by_rows(const AttentionCall<Real>& call, Rows<Real> y, View<Real> lse);
template <class Real>
void attention_by_rows_backward(const AttentionCall<Real>& call, const AttentionGradients<Real>& g);
template <class Real>
void attention_weights_by_rows(const AttentionCall<Real>& call, const WeightReader<Real>& read);

// Serial time (ns) of the row driver's pass, of so many products a score.
template <class Real>
double row_cost(const AttentionCall<Real>& c, double products) {
  return attention_scores(c.options, c.rows) *
         (1 + 0.02 * products * static_cast<double>(c.options.d_k + c.options.d_v));
}

// Head h of sequence e; without mean keys.
template <class Real>
Head<Real> head_of(const AttentionCall<Real>& c, Index e, Index h);

// The mean keys of every sequence, for select two_stage_top_k: where those of sequence e begin
// ([B + 1] rows), and the rows [n_kv_heads · d_k].
template <class Real>
struct MeanKeys {
  Index* first = nullptr;
  Rows<Real> rows;

  MeanKeys(const AttentionCall<Real>& c, Scratch& scratch);
  Rows<const Real> of(const AttentionCall<Real>& c, Index e, Index h) const;
};

}  // namespace attune::kernels
