#pragma once

#include <cstdint>
#include <type_traits>

#include "tensor/view.h"

namespace attune::kernels {

// Rows of a matrix, or of a column slice of a wider one: q, k and v may lie side by side in one
// packed buffer.
template <class T>
struct Rows {
  T* data = nullptr;
  Index n = 0, width = 0, stride = 0;  // rows, columns, elements from one row to the next

  Rows() = default;
  Rows(T* first, Index rows, Index columns, Index row_stride)
      : data(first), n(rows), width(columns), stride(row_stride) {}
  // Rows<const T> reads a View<T>, a View<const T> or a Rows<T>.
  template <class U, class = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Rows(const View<U>& v)  // NOLINT(google-explicit-constructor)
      : Rows(v.data(), v.dim(0), v.dim(1), v.dim(1)) {}
  template <class U, class = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Rows(const Rows<U>& other)  // NOLINT(google-explicit-constructor)
      : Rows(other.data, other.n, other.width, other.stride) {}
  // Columns [begin, begin + columns) of the same rows.
  Rows slice(Index begin, Index columns) const { return {data + begin, n, columns, stride}; }
  T* row(Index i) const { return data + i * stride; }
};

// Which keys a query sees. causal: key j ≤ query i, both counted from the start of their sequence.
enum class Pattern { full, causal };

struct AttentionOptions {
  Index n_heads = 1;
  Index n_kv_heads = 1;  // divides n_heads; head h reads kv head h · n_kv_heads / n_heads
  Index d_k = 1, d_v = 1;
  double scale = 1;  // of the scores, usually 1 / √d_k
  Pattern pattern = Pattern::full;
  double dropout = 0;            // probability p of dropping an attention weight
  std::uint64_t stream_key = 0;  // Stream(seed, "dropout", name).key
  std::uint32_t step = 0;
};

// Where the sequences of a pack lie: sequence e attends from query rows q_offsets[e] … to key rows
// k_offsets[e] ….
struct AttentionRows {
  View<const std::int32_t> q_offsets,
      k_offsets;  // [B + 1], from 0 to n_q and n_k, ascending; empty sequences are legal
  View<const std::int32_t> example;  // [B] logical ids that key dropout; needed only when it is on
};

// Multi-head softmax attention on packed sequences, tiled: nothing of size n² is stored (Dao et al.
// 2022; Rabe and Staats 2021). By sequence and head, with p̂ = round(65536 p) / 65536 and masks M in
// {0, 1} from DropoutDraws at (head, row = key j, column = query i):
//   s_ij = scale · q_i · k_j,   P_ij = exp(s_ij − lse_i),   y_i = Σ_j M_ij P_ij v_j / (1 − p̂)
//   q [n_q, n_heads · d_k], k [n_k, n_kv_heads · d_k], v [n_k, n_kv_heads · d_v]
//   y [n_q, n_heads · d_v], lse [n_q, n_heads] = log Σ_j exp(s_ij), natural, before dropout
// A query that sees no key has y = 0, lse = −inf and no gradient. A NaN reaches the rows that see
// it and no other. The bits of a sequence's rows depend on that sequence, its id and the options:
// not on its place in the pack, not on its neighbours, not on threads. Operands that don't fit are
// a ShapeError, options out of range a ConfigError.
template <class Real>
void attention(const AttentionOptions& options, const AttentionRows& rows, Rows<const Real> q,
               Rows<const Real> k, Rows<const Real> v, Rows<Real> y, View<Real> lse);

// Adds to dq, dk, dv (strides of their own), rebuilding P from lse and M from its counters. With r
// = 1 / (1 − p̂):
//   δ_i = dy_i · y_i,  dP_ij = r M_ij dy_i · v_j,  dS = P ∘ (dP − δ),
//   dq_i += scale Σ_j dS_ij k_j,  dk_j += scale Σ_i dS_ij q_i,  dv_j += r Σ_i M_ij P_ij dy_i,
// where heads that share keys add in the order of heads, and query blocks in the order of queries.
template <class Real>
void attention_backward(const AttentionOptions& options, const AttentionRows& rows,
                        Rows<const Real> dy, Rows<const Real> q, Rows<const Real> k,
                        Rows<const Real> v, Rows<const Real> y, View<const Real> lse, Rows<Real> dq,
                        Rows<Real> dk, Rows<Real> dv);

}  // namespace attune::kernels
