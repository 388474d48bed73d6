#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys of the same block of `block` tokens (Child et al. 2019; Qiu et al. 2020).
inline KeySet block_keys(const Sight& s, Index i) {
  const Index b = s.options->block, first = i / b * b;
  return interval(first, first + b, s.n_k);
}

}  // namespace attune::kernels
