#pragma once

#include <cstdint>

#include "kernels/attention.h"

// Attention whose weights are products of features of query and key, so that keys and values sum to
// one matrix a head and nothing is formed by pairs (Katharopoulos et al. 2020).
namespace attune::kernels {

struct LinearAttentionOptions {
  Index n_heads = 1;
  Index n_kv_heads = 1;  // divides n_heads; head h reads kv head h · n_kv_heads / n_heads
  bool causal = false;   // keys j ≤ i alone; a sequence then has as many keys as queries
};

// By sequence and head, with features q_i, k_j ≥ 0 and v'_j = (v_j, 1):
//   S = Σ_j k_j v'_jᵀ over the keys that query i sees,  (n_i, z_i) = q_iᵀ S,  y_i = n_i / z_i
//   q [n_q, n_heads · d_k], k [n_k, n_kv_heads · d_k], v [n_k, n_kv_heads · d_v]
//   y [n_q, n_heads · d_v]; z [n_q, n_heads] is kept for the backward
// Causal sums go by chunks of 64 rows: S of the chunks before, and by pairs within the chunk. Where
// z_i = 0 (no keys, or features of 0) y_i = 0 without a gradient. O(n d_k d_v). A NaN reaches the
// rows that see it and no other. The bits of a sequence depend on that sequence alone. Operands
// that don't fit are a ShapeError.
template <class Real>
void linear_attention(const LinearAttentionOptions& options, View<const std::int32_t> q_offsets,
                      View<const std::int32_t> k_offsets, Rows<const Real> q, Rows<const Real> k,
                      Rows<const Real> v, Rows<Real> y, View<Real> z);

// Adds to dq, dk, dv. With n'_i = (n_i, z_i):
//   dn'_i = (dy_i, −dy_i · y_i) / z_i,  dq_i = S dn'_i,  dS = Σ_i q_i dn'_iᵀ over the queries that
//   see j,  dk_j = dS v'_j,  dv_j = the first d_v of dSᵀ k_j.
template <class Real>
void linear_attention_backward(const LinearAttentionOptions& options,
                               View<const std::int32_t> q_offsets,
                               View<const std::int32_t> k_offsets, Rows<const Real> dy,
                               Rows<const Real> q, Rows<const Real> k, Rows<const Real> v,
                               Rows<const Real> y, View<const Real> z, Rows<Real> dq, Rows<Real> dk,
                               Rows<Real> dv);

}  // namespace attune::kernels
