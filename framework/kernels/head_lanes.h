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
      const Index first = few() ? 0 : v * kStep / d;
      first_[v] = static_cast<std::int32_t>(first);
      for (Index l = 0; l < kStep; ++l) {
        const Index head = std::min(v * kStep + l, columns - 1) / d;
        places_[v][l] = static_cast<typename Vec<Real>::Int>(head - first);
      }
    }
  }

  // Whether a vector holds a number of every head.
  bool few() const { return n_heads_ <= kLanes<Real>; }

  // Numbers [n_heads] that were read, if there are few: (j) gives those of columns j …, j a
  // multiple of kLanes.
  template <bool kFew>
  class Numbers {
   public:
    Numbers(const SpreadHeads& spread, const Real* heads) : spread_(spread), heads_(heads) {
      if constexpr (kFew) all_ = load_n(heads, spread.n_heads_);
    }
    // Head h in lane h.
    Numbers(const SpreadHeads& spread, Vec<Real> heads) : spread_(spread), all_(heads) {}
    Vec<Real> operator()(Index j) const {
      const Index v = j / kLanes<Real>;
      if constexpr (kFew) return permute(all_, spread_.places_[v]);
      const Index first = spread_.first_[v];
      return permute(
          load_n(heads_ + first, std::min<Index>(kLanes<Real>, spread_.n_heads_ - first)),
          spread_.places_[v]);
    }

   private:
    const SpreadHeads& spread_;
    const Real* heads_ = nullptr;
    Vec<Real> all_;
  };

  // f(few), a std::bool_constant: compiled for few heads and for many.
  template <class F>
  void with(const F& f) const {
    few() ? f(std::true_type{}) : f(std::false_type{});
  }

 private:
  using Places = typename Vec<Real>::Ints;
  Index n_heads_;
  std::int32_t* first_;  // of vector v: the head of its first column; 0 where heads are few
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

// Heads of eight columns, four vectors of them at once: the same trees, whose steps two vectors
// share.
template <class Real>
inline Vec<Real> sum_eights(Vec<Real> (&x)[4]) {
  exchange<4>(x[0], x[1]);
  exchange<4>(x[2], x[3]);
  Vec<Real> a = x[0] + x[1], b = x[2] + x[3];
  exchange<2>(a, b);
  const Vec<Real> pairs = a + b, sums = pairs + swap_lanes<1>(pairs);
  // Vector v's head number g stands in lane 8 g + 4 (v mod 2) + 2 (v / 2).
  constexpr int kHeads = kLanes<Real> / 8;
  const auto head = lane_numbers<Real>() & (4 * kHeads - 1);
  const auto vector = head / kHeads;
  return permute(sums, 8 * (head & (kHeads - 1)) + 4 * (vector & 1) + 2 * (vector >> 1));
}

}  // namespace detail

// sums[h] = Σ_j f(j, lanes) over the d columns j of head h; f gives vectors of columns j …, lanes
// beyond the row or head of which are 0.
template <class Real, class F>
inline void sum_heads(Index n_heads, Index d, const F& f, Real* sums) {
  if constexpr ((kLanes<Real> >= 8)) {
    constexpr Index kStep = kLanes<Real>, kHeads = kStep / 2;  // of four vectors
    if (d == 8 && n_heads % kHeads == 0) {
      for (Index h = 0; h < n_heads; h += kHeads) {
        Vec<Real> x[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) x[v] = f(h * 8 + v * kStep, AllLanes<Real>{});
        store_n(sums + h, kHeads, detail::sum_eights(x));
      }
      return;
    }
  }
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
