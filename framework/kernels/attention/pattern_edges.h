#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys that the graph's edges into query i come from (Veličković et al. 2018).
inline KeySet edge_keys(const Sight& s, Index i) {
  return {s.first_key_row, s.indptr[i + 1] - s.indptr[i], 1, s.indices + s.indptr[i]};
}

}  // namespace attune::kernels
