#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// s_j += bias[h, i, j].
template <class Real>
void given_bias(const Head<Real>& h, Index i, const KeySet& keys, Real* s) {
  for (Index t = 0; t < keys.count; ++t) s[t] += h.bias[i * h.bias_stride + keys[t]];
}

// dbias[h, i, j] += ds_j.
template <class Real>
void given_bias_gradient(const Head<Real>& h, Index i, const KeySet& keys, const Real* ds,
                         const HeadGradient<Real>& gradient) {
  if (gradient.bias == nullptr) return;
  for (Index t = 0; t < keys.count; ++t) gradient.bias[i * h.bias_stride + keys[t]] += ds[t];
}

}  // namespace attune::kernels
