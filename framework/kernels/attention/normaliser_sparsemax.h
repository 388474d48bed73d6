#pragma once

#include "kernels/attention/simplex.h"

// sparsemax (Martins and Astudillo 2016): the point of the simplex nearest to z / T, p = [z/T −
// τ]₊.
namespace attune::kernels {

// τ of elements x ≤ 0 whose largest is 0: from a set that holds the support, τ = (Σ x − 1) / |set|
// is at most the true one, so that what lies at or below it drops out, until nothing does (Michelot
// 1986). Only numbers above −1 can be in the support. x is used up.
template <class Real>
Real sparsemax_threshold(Real* x, Index n) {
  for (;;) {
    Vec<Real> total = Real(0);
    for_lanes<Real>(n, [&](Index j, auto lanes) { total += lanes.load(x + j); });
    const Real tau = (sum(total) - Real(1)) / static_cast<Real>(n);
    const Index kept = keep_above(x, n, tau);
    if (kept == n) return tau;
    n = kept;
  }
}

// p [n] must not overlap z.
template <class Real>
Real sparsemax_normaliser(const Real* z, Index n, Real inverse_temperature, Real* p) {
  Real top;
  if (!begin_projection(z, n, p, top)) return top;
  const auto shifted = [&](Index j, auto lanes) {
    return (lanes.load(z + j) - Vec<Real>(top)) * Vec<Real>(inverse_temperature);
  };
  Index candidates = 0;
  for_each_where<Real>(
      n, [&](Index j, auto lanes) { return shifted(j, lanes) > Vec<Real>(Real(-1)); },
      [&](Index j) { p[candidates++] = (z[j] - top) * inverse_temperature; });
  const Real tau = sparsemax_threshold(p, candidates);
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    lanes.store(p + j, max(shifted(j, lanes) - Vec<Real>(tau), Vec<Real>(Real(0))));
  });
  return tau;
}

// J = diag(s) − s sᵀ / |s| with s = 1 on the support: dz += (dp − mean of dp there) / T.
template <class Real>
void sparsemax_jacobian(const Real* p, const Real* dp, Index n, Real inverse_temperature,
                        Real* dz) {
  const Vec<Real> zero = Real(0);
  Vec<Real> total = zero, count = zero;
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Mask<Real> support = lanes.load(p + j) != zero;
    total += select(support, lanes.load(dp + j), zero);
    count += select(support, Vec<Real>(Real(1)), zero);
  });
  const Vec<Real> mean = sum(total) / max(Vec<Real>(sum(count)), Vec<Real>(Real(1)));
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Vec<Real> x = lanes.load(p + j);
    // x − x is 0, and NaN in a row without a projection.
    const Vec<Real> step = (lanes.load(dp + j) - mean) * Vec<Real>(inverse_temperature) + (x - x);
    lanes.store(dz + j, lanes.load(dz + j) + select(x != zero, step, zero));
  });
}

}  // namespace attune::kernels
