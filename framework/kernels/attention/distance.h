#pragma once

#include <algorithm>

#include "kernels/attention/head.h"
#include "kernels/lanes.h"
#include "kernels/math.h"

// What biases by distance share.
namespace attune::kernels {

// The slope of head h of n in ALiBi: 2^(−8 (h + 1) / n) if n is a power of two; else the slopes of
// the power m below n, then every other one of 2 m (Press et al. 2022, and their code).
inline double alibi_slope(Index h, Index n) {
  Index m = 1;
  while (2 * m <= n) m *= 2;
  const double at = h < m ? static_cast<double>(h + 1) : static_cast<double>(2 * (h - m) + 1) / 2;
  return exp2(Vec<double>(-8 * at / static_cast<double>(m)))[0];
}

template <class Real>
Real alibi_slope(const Head<Real>& h) {
  const AttentionOptions& o = *h.options;
  return static_cast<Real>(alibi_slope(h.head, o.of_heads > 0 ? o.of_heads : o.n_heads));
}

// s_t −= slope · distance(key t): `distances` gives a vector of them for key t and its followers.
template <class Real, class Distances>
void subtract_distances(Real slope, const KeySet& keys, Real* s, Distances&& distances) {
  for_lanes<Real>(keys.count, [&](Index t, auto lanes) {
    const Index n = std::min<Index>(kLanes<Real>, keys.count - t);
    lanes.store(s + t, fma(Vec<Real>(-slope), distances(t, n), lanes.load(s + t)));
  });
}

// f of the keys t … t + n − 1, as the first n lanes.
template <class Real, class F>
Vec<Real> by_key(const KeySet& keys, Index t, Index n, F&& f) {
  Vec<Real> x = Real(0);
  for (Index l = 0; l < n; ++l) x.v[l] = f(keys[t + l]);
  return x;
}

}  // namespace attune::kernels
