#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys j ≤ i.
inline KeySet causal_keys(const Sight& s, Index i) { return interval(0, i + 1, s.n_k); }

}  // namespace attune::kernels
