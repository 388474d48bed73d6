#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Every key.
inline KeySet full_keys(const Sight& s, Index) { return interval(0, s.n_k, s.n_k); }

}  // namespace attune::kernels
