#pragma once

#include <cstdint>

#include "tensor/view.h"

// One row for each example of a pack: x [n, d], offsets [B + 1] -> y [B, d]. An empty example gives
// zeros and takes no gradient. An example's bits depend on its rows alone. Operands that don't fit
// are a ShapeError; an absent gradient is skipped.
namespace attune::kernels {

// y_e = mean of the example's rows.
template <class Real>
void mean_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y);
template <class Real>
void mean_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx);

// y_e = sum of the example's rows, in their order.
template <class Real>
void sum_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y);
template <class Real>
void sum_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx);

// The other way round: y_i = x_e for every row i of example e.  x [B, d] -> y [n, d]
template <class Real>
void repeat_rows(View<const Real> x, View<const std::int32_t> offsets, View<Real> y);
// dx_e += the sum of dy over the example's rows, in their order.
template <class Real>
void repeat_rows_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx);

// y_e = the example's first row (its cls row).
template <class Real>
void first_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y);
template <class Real>
void first_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx);

// Attention pooling (Ilse et al. 2018): y_e = Σ_i w_i x_i over the example's rows, with w the
// softmax of their scores. scores [n]; weights [n] are kept for the backward.
template <class Real>
void attention_pool(View<const Real> x, View<const Real> scores, View<const std::int32_t> offsets,
                    View<Real> weights, View<Real> y);
// dx_i += w_i dy_e,   dscores_i += w_i (a_i − Σ_j w_j a_j),   a_i = x_i · dy_e.
template <class Real>
void attention_pool_backward(View<const Real> dy, View<const Real> x, View<const Real> weights,
                             View<const std::int32_t> offsets, View<Real> dx, View<Real> dscores);

}  // namespace attune::kernels
