#pragma once

#include "kernels/lanes.h"
#include "kernels/micro_kernel.h"

// Numbers a head of each edge of a row, [edges, n_heads], go by whole vectors of these cells where
// heads divide the lanes: lane l is head l mod n_heads then, and short rows stay in registers.
namespace attune::kernels {

template <class Real>
inline bool cells_fill_vectors(Index n_heads) {
  return n_heads <= kLanes<Real> && (n_heads & (n_heads - 1)) == 0;
}

// Joins the lanes of each head in a tree of halves; all of them get what comes out.
template <class Real, class Join>
inline Vec<Real> join_cells(Vec<Real> x, Index n_heads, Join join) {
  using detail::swap_lanes;
  if constexpr (8 < kLanes<Real>) {
    if (n_heads <= 8) x = join(x, swap_lanes<8>(x));
  }
  if constexpr (4 < kLanes<Real>) {
    if (n_heads <= 4) x = join(x, swap_lanes<4>(x));
  }
  if (n_heads <= 2) x = join(x, swap_lanes<2>(x));
  if (n_heads <= 1) x = join(x, swap_lanes<1>(x));
  return x;
}
template <class Real>
inline Vec<Real> sum_cells(Vec<Real> x, Index n_heads) {
  return join_cells(x, n_heads, [](Vec<Real> a, Vec<Real> b) { return a + b; });
}

// A node's numbers [n_heads] in every lane of their heads.
template <class Real>
inline Vec<Real> repeat_heads(const Real* heads, Index n_heads) {
  return permute(load_n(heads, n_heads),
                 lane_numbers<Real>() & static_cast<typename Vec<Real>::Int>(n_heads - 1));
}

// to[e] = from[indices[e]] for n edges and rows of n_heads numbers, by copies of known length.
template <class Real>
inline void gather_heads(const Real* from, const std::int32_t* indices, Index n, Index n_heads,
                         Real* to) {
  const auto gather = [&](auto heads) {
    for (Index e = 0; e < n; ++e) {
      __builtin_memcpy(to + e * heads, from + indices[e] * heads,
                       static_cast<std::size_t>(heads) * sizeof(Real));
    }
  };
  switch (n_heads) {
    case 1:
      return gather(Fixed<1>{});
    case 2:
      return gather(Fixed<2>{});
    case 4:
      return gather(Fixed<4>{});
    case 8:
      return gather(Fixed<8>{});
    case 16:
      return gather(Fixed<16>{});
    default:
      return gather(n_heads);
  }
}

// f(n, x, y) with room for the n vectors of a row of cells in each of x and y: registers where they
// are few, else `room`, which holds 2 n.
template <class Real, class F>
inline void with_vectors(Index n_cells, Vec<Real>* room, const F& f) {
  const auto few = [&](auto n) {
    Vec<Real> x[n.value], y[n.value];
    f(n, x, y);
  };
  const Index n = (n_cells + kLanes<Real> - 1) / kLanes<Real>;
  switch (n) {
    case 0:
      return;
    case 1:
      return few(Fixed<1>{});
    case 2:
      return few(Fixed<2>{});
    case 3:
      return few(Fixed<3>{});
    case 4:
      return few(Fixed<4>{});
    default:
      Vec<Real>*x = room, *y = room + n;
      f(n, x, y);
  }
}

}  // namespace attune::kernels
