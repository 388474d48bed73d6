#pragma once

#include <algorithm>
#include <limits>

#include "kernels/lanes.h"
#include "tensor/arena.h"

namespace attune::kernels {

namespace detail {

// x as an integer that orders as x does; −0 is 0, and a NaN is above all.
template <class Real>
typename Vec<Real>::Ints ordered(Vec<Real> x) {
  using Int = typename Vec<Real>::Int;
  const auto bits = bits_of(x + Vec<Real>(Real(0)));
  const auto sign = bits >> (8 * static_cast<int>(sizeof(Int)) - 1);
  const auto turned = bits ^ (sign & std::numeric_limits<Int>::max());
  return (x != x).bits ? turned * 0 + std::numeric_limits<Int>::max() : turned;
}

template <class Real>
Index count_above(const typename Vec<Real>::Int* keys, Index n, typename Vec<Real>::Int threshold) {
  typename Vec<Real>::Ints count{};
  for (Index j = 0; j < n; j += kLanes<Real>) {
    typename Vec<Real>::Ints x;
    __builtin_memcpy(&x, keys + j, kVectorBytes);
    count -= x > threshold;
  }
  Index total = 0;
  for (int l = 0; l < kLanes<Real>; ++l) total += count[l];
  return total;
}

}  // namespace detail

// The places of the min(k, n) largest scores, rising; of equal ones those of smaller keys. NaNs are
// the largest of all, so that they stay in their row. The k-th largest is found by bisection over
// the integers that order as floats do: passes over the row that count, and no sort. Gives min(k,
// n).
template <class Real>
Index top_k(const Real* scores, Index n, Index k, std::int32_t* places) {
  using Int = typename Vec<Real>::Int;
  using Unsigned = std::make_unsigned_t<Int>;
  if (k >= n) {
    for (Index j = 0; j < n; ++j) places[j] = static_cast<std::int32_t>(j);
    return n;
  }
  Scratch scratch;
  Int* const keys = scratch.allocate<Int>(n + kLanes<Real>);
  Int low = std::numeric_limits<Int>::max(), high = std::numeric_limits<Int>::min();
  typename Vec<Real>::Ints least = typename Vec<Real>::Ints{} + low, most = least * 0 + high;
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    // The lanes beyond the row are below any score, and are never counted.
    const auto key = first_lanes<Real>(n - j).bits ? detail::ordered(lanes.load(scores + j))
                                                   : least * 0 + std::numeric_limits<Int>::min();
    __builtin_memcpy(keys + j, &key, kVectorBytes);
    most = key > most ? key : most;
    least = (first_lanes<Real>(n - j).bits & (key < least)) ? key : least;
  });
  for (int l = 0; l < kLanes<Real>; ++l) {
    low = std::min(low, least[l]);
    high = std::max(high, most[l]);
  }
  --low;  // more than k are above low, fewer than k above high
  Index above = 0;
  while (static_cast<Unsigned>(high) - static_cast<Unsigned>(low) > 1) {
    const Int middle =
        static_cast<Int>(static_cast<Unsigned>(low) +
                         (static_cast<Unsigned>(high) - static_cast<Unsigned>(low)) / 2);
    const Index count = detail::count_above<Real>(keys, n, middle);
    if (count > k) {
      low = middle;
    } else {
      high = middle;
      above = count;
      if (count == k) break;
    }
  }
  Index ties = k - above, kept = 0;  // of those equal to high
  for_each_where<Real>(
      n,
      [&](Index j, auto) {
        typename Vec<Real>::Ints key;
        __builtin_memcpy(&key, keys + j, kVectorBytes);
        return Mask<Real>{key >= high};
      },
      [&](Index j) {
        if (keys[j] > high || ties-- > 0) places[kept++] = static_cast<std::int32_t>(j);
      });
  return kept;
}

}  // namespace attune::kernels
