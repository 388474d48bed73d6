#pragma once

#include <algorithm>

#include "kernels/attention.h"

// What the parts of attention and the row driver see of their work: one head of one sequence.
namespace attune::kernels {

// The most queries whose scores are held at once.
inline constexpr Index kStripQueries = 12;

// rows from `first`, `n` of them.
template <class T>
Rows<T> part(Rows<T> rows, Index first, Index n) {
  return {rows.row(first), n, rows.width, rows.stride};
}

template <class Real>
void set_zero(Rows<Real> rows) {
  for (Index i = 0; i < rows.n; ++i) std::fill_n(rows.row(i), rows.width, Real(0));
}

// Keys of one query, rising: first, first + step, … (count of them); with a list, list[t] − first.
struct KeySet {
  Index first = 0, count = 0, step = 1;
  const std::int32_t* list = nullptr;

  Index operator[](Index t) const { return list == nullptr ? first + t * step : list[t] - first; }
  Index end() const { return first + count; }  // of a set without gaps
};

// Keys [low, high) of n_keys.
inline KeySet interval(Index low, Index high, Index n_keys) {
  low = std::clamp(low, Index{0}, n_keys);
  return {low, std::max<Index>(std::min(high, n_keys) - low, 0)};
}

// What a pattern knows.
struct Sight {
  const AttentionOptions* options = nullptr;
  Index n_q = 0, n_k = 0;                                    // rows of this sequence
  const std::int32_t *indptr = nullptr, *indices = nullptr;  // of its first query; all edges
  Index first_key_row = 0;                                   // of this sequence, in the pack
};

// One head of one sequence.
template <class Real>
struct Head {
  const AttentionOptions* options = nullptr;
  Sight sight;
  Index head = 0;
  std::uint32_t example = 0;
  Rows<const Real> q, k, v;  // [n_q, d_k], [n_k, d_k], [n_k, d_v]
  const std::int32_t *q_positions = nullptr, *k_positions = nullptr;  // of its first rows
  const Real* w = nullptr;                                            // [d_k]
  const Real* bias = nullptr;  // pair (i, j) at i · bias_stride + j
  Index bias_stride = 0;
  const Real* table = nullptr;  // distance 0; reaches max_distance to either side
  Index max_distance = 0;
  Rows<const Real> means;  // select two_stage_top_k: mean keys (select_two_stage.h)
};

// Where its gradients are added; null where nobody wants one.
template <class Real>
struct HeadGradient {
  Rows<Real> q, k, v;
  Real *w = nullptr, *bias = nullptr, *table = nullptr;
  const Real* lse = nullptr;  // what reaches this head's lse, one every n_heads; null: nothing
};

}  // namespace attune::kernels
