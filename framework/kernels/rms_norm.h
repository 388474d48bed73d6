#pragma once

#include "tensor/view.h"

namespace attune::kernels {

// Root-mean-square normalisation of each row (Zhang and Sennrich 2019): y = gain · x · rrms + bias,
// rrms = 1 / √(mean_d(x²) + eps).
//   x, y [n, d]; gain [d]; bias [d] or absent; rrms [n] is kept for the backward
// A row's bits depend on that row alone. NaN passes through; d = 0 is a ShapeError, as is any
// operand that doesn't fit.
template <class Real>
void rms_norm(View<const Real> x, View<const Real> gain, View<const Real> bias, Real eps,
              View<Real> y, View<Real> rrms);

// Adds to dx, dgain, dbias; each may be absent. With g = dy · gain, x̂ = x · rrms:
//   dx = rrms · (g − x̂ · mean_d(g · x̂)),   dgain = Σ_rows dy · x̂,   dbias = Σ_rows dy.
template <class Real>
void rms_norm_backward(View<const Real> dy, View<const Real> x, View<const Real> gain,
                       View<const Real> rrms, View<Real> dx, View<Real> dgain, View<Real> dbias);

}  // namespace attune::kernels
