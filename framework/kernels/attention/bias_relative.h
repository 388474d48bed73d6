#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Which entry of the table a query and a key read: i − j, clipped (Shaw et al. 2018; one number a
// head as in Raffel et al. 2020).
template <class Real>
Index relative_entry(const Head<Real>& h, Index i, Index j) {
  return std::clamp(i - j, -h.max_distance, h.max_distance);
}

// s_j += table[i − j].
template <class Real>
void relative_bias(const Head<Real>& h, Index i, const KeySet& keys, Real* s) {
  for (Index t = 0; t < keys.count; ++t) s[t] += h.table[relative_entry(h, i, keys[t])];
}

// dtable[i − j] += ds_j.
template <class Real>
void relative_bias_gradient(const Head<Real>& h, Index i, const KeySet& keys, const Real* ds,
                            const HeadGradient<Real>& gradient) {
  if (gradient.table == nullptr) return;
  for (Index t = 0; t < keys.count; ++t) gradient.table[relative_entry(h, i, keys[t])] += ds[t];
}

}  // namespace attune::kernels
