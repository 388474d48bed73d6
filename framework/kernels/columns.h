#pragma once

#include "tensor/view.h"

// Columns of one row put together: a row's bits depend on that row alone. Operands that don't fit
// are a ShapeError; an absent gradient is skipped.
namespace attune::kernels {

// y = [a, b], side by side.  a [n, d_a], b [n, d_b], y [n, d_a + d_b]
template <class Real>
void concat_columns(View<const Real> a, View<const Real> b, View<Real> y);
// da += dy's first columns, db += its last.
template <class Real>
void concat_columns_backward(View<const Real> dy, View<Real> da, View<Real> db);

// y_ij = (1/h) Σ_k x_i,(k d + j): the mean of h heads of d columns, summed in their order.
//   x [n, h · d], y [n, d]
template <class Real>
void mean_heads(Index n_heads, View<const Real> x, View<Real> y);
// dx_i,(k d + j) += dy_ij / h.
template <class Real>
void mean_heads_backward(Index n_heads, View<const Real> dy, View<Real> dx);

}  // namespace attune::kernels
