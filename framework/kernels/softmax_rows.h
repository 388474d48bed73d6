#pragma once

#include <cstdint>

#include "kernels/attention.h"
#include "tensor/view.h"

namespace attune::kernels {

// A normaliser of attention on each row: y = softmax, sparsemax or entmax15 of x / temperature
// (kernels/attention/normaliser_*.h), with the rules of softmax_rows below.
template <class Real>
void normalise_rows(Normaliser normaliser, View<const Real> x, View<const std::int32_t> lengths,
                    Real temperature, View<Real> y);

// dx += J dy / temperature, within the lengths, with the normaliser's Jacobian J at y.
template <class Real>
void normalise_rows_backward(Normaliser normaliser, View<const Real> dy, View<const Real> y,
                             View<const std::int32_t> lengths, Real temperature, View<Real> dx);

// Softmax of each row: y_j = exp((x_j − max x) / temperature) / Σ_k exp((x_k − max x) /
// temperature).
//   x, y [n, c]; lengths [n] or absent: row i has lengths[i] elements (0 ≤ lengths[i] ≤ c, else a
//   ShapeError), y is 0 beyond them, and what x holds there is not read; temperature > 0
// A row of length 0, and a row of −inf alone, is zero. NaN or +inf within the length makes that
// row NaN. A row's bits depend on that row and its length alone, not on c.
template <class Real>
void softmax_rows(View<const Real> x, View<const std::int32_t> lengths, Real temperature,
                  View<Real> y);

// dx += y ∘ (dy − Σ_k dy_k y_k) / temperature, within the lengths.
template <class Real>
void softmax_rows_backward(View<const Real> dy, View<const Real> y,
                           View<const std::int32_t> lengths, Real temperature, View<Real> dx);

}  // namespace attune::kernels
