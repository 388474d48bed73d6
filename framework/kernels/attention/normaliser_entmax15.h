#pragma once

#include <cmath>

#include "kernels/attention/simplex.h"

// 1.5-entmax (Peters, Niculae and Martins 2019): p = [z/2T − τ]₊² with Σ p = 1.
namespace attune::kernels {

// τ of elements x ≤ 0 whose largest is 0. Newton's steps on Σ [x − τ]₊² = 1 from −1 rise towards τ,
// and what falls below drops out; as soon as the root of the quadratic over those left lies below
// all of them, it is τ exactly (the closed form of the paper's algorithm 2, without its sort). x is
// used up.
template <class Real>
Real entmax15_threshold(Real* x, Index n) {
  Real tau = -1;
  for (;;) {
    const Vec<Real> zero = Real(0);
    Vec<Real> first = zero, second = zero, least = zero;
    for_lanes<Real>(n, [&](Index j, auto lanes) {
      const Vec<Real> above = lanes.keep(lanes.load(x + j) - Vec<Real>(tau), 0);
      first += above;
      second = fma(above, above, second);
      least = min(least, lanes.load(x + j));  // 0 is the largest, lanes beyond the row do no harm
    });
    const Real m = static_cast<Real>(n), s1 = sum(first), s2 = sum(second);
    const Real spread = s2 - s1 * s1 / m;
    const Real root = tau + s1 / m - std::sqrt(std::max((Real(1) - spread) / m, Real(0)));
    if (spread <= Real(1) && -largest(-least) > root) return root;
    const Real next = tau + (s2 - Real(1)) / (s1 + s1);
    if (!(next > tau)) return tau;
    tau = next;
    n = keep_above(x, n, tau);
  }
}

// p [n] must not overlap z.
template <class Real>
Real entmax15_normaliser(const Real* z, Index n, Real inverse_temperature, Real* p) {
  Real top;
  if (!begin_projection(z, n, p, top)) return top;
  const Real half = inverse_temperature / 2;
  const auto shifted = [&](Index j, auto lanes) {
    return (lanes.load(z + j) - Vec<Real>(top)) * Vec<Real>(half);
  };
  Index candidates = 0;
  for_each_where<Real>(
      n, [&](Index j, auto lanes) { return shifted(j, lanes) > Vec<Real>(Real(-1)); },
      [&](Index j) { p[candidates++] = (z[j] - top) * half; });
  const Real tau = entmax15_threshold(p, candidates);
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Vec<Real> root = max(shifted(j, lanes) - Vec<Real>(tau), Vec<Real>(Real(0)));
    lanes.store(p + j, root * root);
  });
  return tau;
}

// J = diag(u) − u uᵀ / Σ u with u = √p: dz += u (dp − Σ u dp / Σ u) / T.
template <class Real>
void entmax15_jacobian(const Real* p, const Real* dp, Index n, Real inverse_temperature, Real* dz) {
  Vec<Real> total = Real(0), products = Real(0);
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Vec<Real> u = sqrt(lanes.load(p + j));
    total += u;
    products = fma(u, select(u != Vec<Real>(Real(0)), lanes.load(dp + j), Real(0)), products);
  });
  const Real whole = sum(total);
  const Vec<Real> mean = whole == Real(0) ? Real(0) : sum(products) / whole;
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Vec<Real> u = sqrt(lanes.load(p + j)) * Vec<Real>(inverse_temperature);
    const Vec<Real> step = u * (lanes.load(dp + j) - mean);
    lanes.store(dz + j, lanes.load(dz + j) + select(u != Vec<Real>(Real(0)), step, Real(0)));
  });
}

}  // namespace attune::kernels
