#pragma once

#include "kernels/attention/distance.h"

namespace attune::kernels {

// s_j −= slope_h · √(Δrow² + Δcolumn²), the distance of the tokens' places in the grid: the
// 2D-ALiBi of CROMA (Fuller et al. 2023), with the slopes of Press et al. 2022. A
// token without a place (its row is negative: a class token) has distance 0 to all.
template <class Real>
void alibi_2d_bias(const Head<Real>& h, Index i, const KeySet& keys, Real* s) {
  const auto slope = static_cast<Real>(alibi_slope(h));
  const std::int32_t* const at = h.q_positions + 2 * i;
  subtract_distances(slope, keys, s, [&](Index t, Index n) {
    return sqrt(by_key<Real>(keys, t, n, [&](Index j) {
      if (at[0] < 0 || h.k_positions[2 * j] < 0) return Real(0);
      const Index rows = h.k_positions[2 * j] - at[0], columns = h.k_positions[2 * j + 1] - at[1];
      return static_cast<Real>(rows * rows + columns * columns);
    }));
  });
}

}  // namespace attune::kernels
