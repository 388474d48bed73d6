#pragma once

#include <functional>
#include <limits>
#include <span>

#include "kernels/linear_attention.h"

// The weights that attention gives to keys, for who looks at them: a query at a time, so that
// nothing of size n² is held. On one thread.
namespace attune::kernels {

template <class Real>
struct WeightRow {
  Index sequence = 0, head = 0, query = 0;  // query i of its sequence
  Index seen = 0;                           // keys that its pattern lets it see
  // The largest of the numbers s_ij / temperature that its normaliser is given: −inf of none, NaN
  // where there is one among them.
  Real largest = -std::numeric_limits<Real>::infinity();
  std::span<const Real> weights;  // of all keys of the sequence, 0 of one not seen or not kept
};
// Called by sequence, head and query, in this order but for heads of different widths, which come
// by runs of one width. The weights are valid during the call.
template <class Real>
using WeightReader = std::function<void(const WeightRow<Real>&)>;

// P_i of attention() with these operands, without dropout. Any combination goes by the row driver's
// scores; those of the tiled one are rounded otherwise. Operands that don't fit are a ShapeError.
template <class Real>
void attention_weights(const AttentionOptions& options, const AttentionRows& rows,
                       Rows<const Real> q, Rows<const Real> k,
                       const AttentionParameters<const Real>& parameters,
                       const WeightReader<Real>& read);

// q_i · k_j / Σ_j q_i · k_j of linear_attention() with these features, summed in double; all 0
// where the sum is. There are no scores: `largest` is NaN.
template <class Real>
void linear_attention_weights(const LinearAttentionOptions& options,
                              View<const std::int32_t> q_offsets,
                              View<const std::int32_t> k_offsets, Rows<const Real> q,
                              Rows<const Real> k, const WeightReader<Real>& read);

}  // namespace attune::kernels
