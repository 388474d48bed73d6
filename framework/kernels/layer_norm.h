#pragma once

#include "tensor/view.h"

namespace attune::kernels {

// Layer normalisation of each row (Ba et al. 2016, eq. 4): y = gain · x̂ + bias,
// x̂ = (x − mean) · rstd, rstd = 1 / √(variance + eps), biased variance in two passes.
//   x, y [n, d]; gain [d]; bias [d] or absent; mean, rstd [n] are kept for the backward
// A row's bits depend on that row alone. NaN passes through; d = 0 is a ShapeError, as is any
// operand that doesn't fit.
template <class Real>
void layer_norm(View<const Real> x, View<const Real> gain, View<const Real> bias, Real eps,
                View<Real> y, View<Real> mean, View<Real> rstd);

// Adds to dx (fresh: writes it), dgain, dbias; each may be absent. With g = dy · gain:
//   dx = rstd · (g − mean_d(g) − x̂ · mean_d(g · x̂)),   dgain = Σ_rows dy · x̂,   dbias = Σ_rows dy.
// x̂ is rebuilt from x rather than from y, so that gain = 0 is no special case. Sums over rows go
// by chunks of 64, added in order.
template <class Real>
void layer_norm_backward(View<const Real> dy, View<const Real> x, View<const Real> gain,
                         View<const Real> mean, View<const Real> rstd, View<Real> dx,
                         View<Real> dgain, View<Real> dbias, bool fresh_dx = false);

}  // namespace attune::kernels
