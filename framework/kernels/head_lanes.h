#pragma once

#include "kernels/lanes.h"
#include "tensor/arena.h"

// Rows of n_heads · d columns go by whole vectors here, however many heads a vector holds: heads of
// eight columns would leave half of it empty.
namespace attune::kernels {

// A number a head as a number a column.
template <class Real>
class SpreadHeads {
 public:
  SpreadHeads(Index n_heads, Index d, Scratch& scratch) : n_heads_(n_heads) {
    constexpr Index kStep = kLanes<Real>;
    const Index columns = n_heads * d, n = (columns + kStep - 1) / kStep;
    first_ = scratch.allocate<std::int32_t>(n);
    places_ = scratch.allocate<Places>(n);
    for (Index v = 0; v < n; ++v) {
      const Index first = v * kStep / d;
      first_[v] = static_cast<std::int32_t>(first);
      for (Index l = 0; l < kStep; ++l) {
        const Index head = std::min(v * kStep + l, columns - 1) / d;
        places_[v][l] = static_cast<typename Vec<Real>::Int>(head - first);
      }
    }
  }

  // Of numbers [n_heads], those of columns j …, j a multiple of kLanes. `f` is applied to them as
  // heads.
  template <class F>
  Vec<Real> operator()(const Real* heads, Index j, F f) const {
    const Index v = j / kLanes<Real>, first = first_[v];
    const Vec<Real> some = load_n(heads + first, std::min<Index>(kLanes<Real>, n_heads_ - first));
    return permute(f(some), places_[v]);
  }
  Vec<Real> operator()(const Real* heads, Index j) const {
    return (*this)(heads, j, [](Vec<Real> x) { return x; });
  }

 private:
  using Places = typename Vec<Real>::Ints;
  Index n_heads_;
  std::int32_t* first_;  // of vector v: the head of its first column
  Places* places_;       // and each column's head, counted from there
};

namespace detail {

// Heads of kColumns columns, a power of two below kLanes: each lane gets its head's sum, in a tree
// of halves.
template <int kColumns, class Real>
inline Vec<Real> sum_within(Vec<Real> x) {
  if constexpr (kColumns == 1) {
    return x;
  } else {
    return sum_within<kColumns / 2>(x + swap_lanes<kColumns / 2>(x));
  }
}

template <int kColumns, class Real, class F>
inline void sum_narrow_heads(Index n_heads, const F& f, Real* sums) {
  constexpr Index kHeads = kLanes<Real> / kColumns;
  const auto firsts = lane_numbers<Real>() * kColumns & (kLanes<Real> - 1);
  for_lanes<Real>(n_heads * kColumns, [&](Index j, auto lanes) {
    const Vec<Real> total = sum_within<kColumns>(f(j, lanes));
    store_n(sums + j / kColumns, std::min(kHeads, n_heads - j / kColumns), permute(total, firsts));
  });
}

}  // namespace detail

// sums[h] = Σ_j f(j, lanes) over the d columns j of head h; f gives vectors of columns j …, lanes
// beyond the row or head of which are 0.
template <class Real, class F>
inline void sum_heads(Index n_heads, Index d, const F& f, Real* sums) {
  if (d == 1) return detail::sum_narrow_heads<1>(n_heads, f, sums);
  if (d == 2) return detail::sum_narrow_heads<2>(n_heads, f, sums);
  if constexpr (kLanes < Real >> 4) {
    if (d == 4) return detail::sum_narrow_heads<4>(n_heads, f, sums);
  }
  if constexpr (kLanes < Real >> 8) {
    if (d == 8) return detail::sum_narrow_heads<8>(n_heads, f, sums);
  }
  for (Index h = 0; h < n_heads; ++h) {
    Vec<Real> total = Real(0);
    for_lanes<Real>(d, [&](Index c, auto lanes) { total += f(h * d + c, lanes); });
    sums[h] = sum(total);
  }
}

}  // namespace attune::kernels
