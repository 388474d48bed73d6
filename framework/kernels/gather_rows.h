#pragma once

#include "kernels/lanes.h"

namespace attune::kernels {

namespace detail {

// kVectors neighbouring vectors of add_weighted_rows.
template <int kVectors, class Real, class Lanes, class From, class Weight>
inline void add_weighted_columns(Index n, const From& from, const Weight& weight, Lanes lanes,
                                 Index first, Real* to) {
  constexpr Index kStep = kLanes<Real>;
  Vec<Real> total[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) total[v] = lanes.load(to + first + v * kStep);
  for (Index t = 0; t < n; ++t) {
    const Real* row = from(t) + first;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      total[v] = fma(weight(t, first + v * kStep), lanes.load(row + v * kStep), total[v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) lanes.store(to + first + v * kStep, total[v]);
}

}  // namespace detail

// to[j] += Σ_t weight(t)[j] · from(t)[j] for j < d and t < n: a row of a sparse product, or what a
// node is sent. weight(t, j) gives the vector of columns j …; each element is one fma chain in the
// order of t, whatever d.
template <class Real, class From, class Weight>
inline void add_weighted_rows(Index n, const From& from, const Weight& weight, Index d, Real* to) {
  constexpr int kWide = 4;  // vectors that share a walk over t
  constexpr Index kColumns = kWide * kLanes<Real>;
  Index j = 0;
  for (; j + kColumns <= d; j += kColumns) {
    detail::add_weighted_columns<kWide>(n, from, weight, AllLanes<Real>{}, j, to);
  }
  for_lanes<Real>(d - j, [&](Index i, auto lanes) {
    detail::add_weighted_columns<1>(n, from, weight, lanes, j + i, to);
  });
}

}  // namespace attune::kernels
