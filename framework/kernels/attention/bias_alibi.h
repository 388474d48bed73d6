#pragma once

#include "kernels/attention/distance.h"

namespace attune::kernels {

// s_j −= slope_h · |i − j| (Press et al. 2022); under a causal pattern that is i − j.
template <class Real>
void alibi_bias(const Head<Real>& h, Index i, const KeySet& keys, Real* s) {
  const auto slope = static_cast<Real>(alibi_slope(h));
  subtract_distances(slope, keys, s, [&](Index t, Index n) {
    if (keys.list != nullptr) {
      return by_key<Real>(keys, t, n, [&](Index j) { return static_cast<Real>(std::abs(i - j)); });
    }
    using Int = typename Vec<Real>::Int;
    const auto apart =
        static_cast<Int>(keys[t] - i) + lane_numbers<Real>() * static_cast<Int>(keys.step);
    return detail::magnitude(Vec<Real>(__builtin_convertvector(apart, typename Vec<Real>::Reals)));
  });
}

}  // namespace attune::kernels
