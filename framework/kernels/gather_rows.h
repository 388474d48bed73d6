#pragma once

#include "kernels/lanes.h"

namespace attune::kernels {

namespace detail {

// kVectors neighbouring vectors of weighted_rows, the last one of which `last` reaches.
template <int kVectors, class Real, class Lanes, class From, class Weight, class Start>
inline void weighted_columns(Index n, const From& from, const Weight& weight, Lanes last,
                             Index first, const Start& start, Real* to) {
  constexpr Index kStep = kLanes<Real>;
  const auto read = [&](const Real* row, int v) {
    return v == kVectors - 1 ? last.load(row + v * kStep) : load(row + v * kStep);
  };
  Vec<Real> total[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const Index j = first + v * kStep;
    total[v] = v == kVectors - 1 ? start(j, last) : start(j, AllLanes<Real>{});
  }
  for (Index t = 0; t < n; ++t) {
    const Real* row = from(t) + first;
    const auto& of_columns = weight(t);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      total[v] = fma(of_columns(first + v * kStep), read(row, v), total[v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors - 1; ++v) store(to + first + v * kStep, total[v]);
  last.store(to + first + (kVectors - 1) * kStep, total[kVectors - 1]);
}

}  // namespace detail

// One weight for all columns.
template <class Real>
struct SameWeight {
  Vec<Real> weight;
  Vec<Real> operator()(Index) const { return weight; }
};

// What sums of columns start from: zeros, or a row; null stands for zeros.
template <class Real>
struct FromZeros {
  Vec<Real> operator()(Index, auto) const { return Real(0); }
};
template <class Real>
struct FromRow {
  const Real* row;
  Vec<Real> operator()(Index j, auto lanes) const {
    return row == nullptr ? Vec<Real>(Real(0)) : lanes.load(row + j);
  }
};

// to[j] = start[j] + Σ_t weight(t)(j) · from(t)[j] for j < d and t < n: a row of a sparse product,
// or what a node is sent. start(j, lanes) and weight(t)(j) are the vectors of columns j …; each
// element is one fma chain in the order of t, whatever d.
template <class Real, class From, class Weight, class Start>
inline void weighted_rows(Index n, const From& from, const Weight& weight, Index d,
                          const Start& start, Real* to) {
  for_columns<Real>(d, [&](auto vectors, auto last, Index j) {
    detail::weighted_columns<vectors.value>(n, from, weight, last, j, start, to);
  });
}

}  // namespace attune::kernels
