#pragma once

#include "tensor/view.h"

namespace attune::kernels {

// y = x Wᵀ + bias, by row.
//   x [n, d_in], weight [d_out, d_in], bias [d_out] or absent, y [n, d_out]; n, d_in and d_out may
//   be 0.
// A row's bits depend on that row alone: y_ij is one fma chain over d_in that starts from bias_j.
// Operands that don't fit are a ShapeError, here and below.
template <class Real>
void linear(View<const Real> x, View<const Real> weight, View<const Real> bias, View<Real> y);

// dx += dy W; fresh: dx = dy W.  dy [n, d_out], weight [d_out, d_in], dx [n, d_in].
template <class Real>
void linear_backward_input(View<const Real> dy, View<const Real> weight, View<Real> dx,
                           bool fresh = false);

// dweight += dyᵀ x and dbias += Σ_rows dy, as outer_products() sums them, or what of both is there.
//   dy [n, d_out], x [n, d_in], dweight [d_out, d_in], dbias [d_out].
template <class Real>
void linear_backward_weight(View<const Real> dy, View<const Real> x, View<Real> dweight,
                            View<Real> dbias = {});

// dbias += Σ_rows dy alone.  dy [n, d_out], dbias [d_out]. Rows are summed in chunks of 128, chunks
// added in order.
template <class Real>
void linear_backward_bias(View<const Real> dy, View<Real> dbias);

// y = x + bias in every row; its backward is linear_backward_bias().  x, y [n, d], bias [d].
template <class Real>
void add_bias(View<const Real> x, View<const Real> bias, View<Real> y);

}  // namespace attune::kernels
