#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys i − window ≤ j ≤ i (Child et al. 2019; sliding window attention, Jiang et al. 2023, with
// window + 1 keys).
inline KeySet causal_window_keys(const Sight& s, Index i) {
  return interval(i - s.options->window, i + 1, s.n_k);
}

}  // namespace attune::kernels
