#pragma once

#include "kernels/softmax_row.h"

namespace attune::kernels {

// p = exp(z / T) / Σ exp(z / T); J = diag(p) − p pᵀ. Gives the log of the sum.
template <class Real>
Real softmax_normaliser(const Real* z, Index n, Real inverse_temperature, Real* p) {
  return softmax_row(z, n, inverse_temperature, p);
}

template <class Real>
void softmax_jacobian(const Real* p, const Real* dp, Index n, Real inverse_temperature, Real* dz) {
  softmax_row_backward(dp, p, n, inverse_temperature, dz);
}

}  // namespace attune::kernels
