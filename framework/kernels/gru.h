#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// What a GRU of width h learns, its gates stacked in the order r, z, n (as PyTorch has them):
//   w_ih [3h, d_in], w_hh [3h, h], b_ih [3h], b_hh [3h]
template <class Real>
struct GruWeights {
  View<Real> w_ih, w_hh, b_ih, b_hh;
};

// Gated recurrent unit (Cho et al. 2014, in PyTorch's form) over packed sequences: row by row
//   r = σ(W_ir x + b_ir + W_hr h + b_hr)        z = σ(W_iz x + b_iz + W_hz h + b_hz)
//   n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))
//   h' = (1 − z) ∘ n + z ∘ h
// from each sequence's first row to its last, or where `reverse` is set from its last to its first.
//   x [n, d_in], offsets [B + 1], h0 [B, h] or absent (0): the state before a sequence
//   y [n, h]: the state behind each row;  h_n [B, h]: behind the sequence, h0 where it has no rows
//   gates [n, 4h]: r, z, n and W_hn h + b_hn of each row, kept for the backward, or absent
// A row's bits depend on the rows read before it alone: sequences of one row with h0 are a GRU
// cell. Nothing is padded: a step's product has a row for each sequence that has not ended.
// Operands that don't fit are a ShapeError.
template <class Real>
void gru(View<const Real> x, View<const std::int32_t> offsets, View<const Real> h0,
         const GruWeights<const Real>& weights, bool reverse, View<Real> y, View<Real> h_n,
         View<Real> gates);

// Through time, for given dy and dh_n (each may be absent: 0). Adds to dx, dh0 and dweights, each
// of which may be absent. With dh the gradient of h' and a the sums inside σ and tanh:
//   da_n = dh (1 − z) (1 − n²)    da_z = dh (h − n) z (1 − z)    da_r = da_n (W_hn h + b_hn) r (1 −
//   r) dh of the row before += dh z + W_hhᵀ (da_r, da_z, r da_n)
// Sums over rows go in the order of the pack.
template <class Real>
void gru_backward(View<const Real> dy, View<const Real> dh_n, View<const Real> x,
                  View<const std::int32_t> offsets, View<const Real> h0,
                  const GruWeights<const Real>& weights, bool reverse, View<const Real> y,
                  View<const Real> gates, View<Real> dx, View<Real> dh0,
                  const GruWeights<Real>& dweights);

}  // namespace attune::kernels
