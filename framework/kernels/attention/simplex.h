#pragma once

#include <limits>

#include "kernels/lanes.h"

// What the projections onto the simplex share.
namespace attune::kernels {

// The largest element, and whether the row has a projection. Where it has none (a NaN, +inf) p is
// NaN; a row of −inf alone, and an empty one, is 0.
template <class Real>
bool begin_projection(const Real* z, Index n, Real* p, Real& top) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  Vec<Real> most = -infinity;
  Mask<Real> bad = most > most;
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    const Vec<Real> x = lanes.keep(lanes.load(z + j), -infinity);
    most = max(most, x);
    bad = bad | (x != x) | (x == Vec<Real>(infinity));
  });
  top = largest(most);
  const bool broken = lane_bits(bad) != 0;
  if (!broken && top > -infinity) return true;
  const Vec<Real> all = broken ? std::numeric_limits<Real>::quiet_NaN() : Real(0);
  for_lanes<Real>(n, [&](Index j, auto lanes) { lanes.store(p + j, all); });
  return false;
}

// The elements of x [n] above `threshold`, in their order, at the front of x.
template <class Real>
Index keep_above(Real* x, Index n, Real threshold) {
  Index kept = 0;
  for_each_where<Real>(
      n, [&](Index j, auto lanes) { return lanes.load(x + j) > Vec<Real>(threshold); },
      [&](Index j) { x[kept++] = x[j]; });
  return kept;
}

}  // namespace attune::kernels
