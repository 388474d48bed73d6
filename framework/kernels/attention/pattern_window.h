#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys with |i − j| ≤ window (Beltagy et al. 2020).
inline KeySet window_keys(const Sight& s, Index i) {
  const Index w = s.options->window;
  return interval(i - w, i + w + 1, s.n_k);
}

}  // namespace attune::kernels
