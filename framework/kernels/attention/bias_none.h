#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

template <class Real>
void no_bias(const Head<Real>&, Index, const KeySet&, Real*) {}

// Of every bias that nothing is learned of.
template <class Real>
void no_bias_gradient(const Head<Real>&, Index, const KeySet&, const Real*,
                      const HeadGradient<Real>&) {}

}  // namespace attune::kernels
