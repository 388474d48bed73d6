#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// The rows of each sequence mixed to k rows (Wang et al. 2020, Linformer, eq. 7): y_e = E x_e, of E
// the first n_e columns for a sequence of n_e rows, so that one E serves all lengths to E's own.
//   x [n, d], weight E [k, length], offsets [B + 1], y [B · k, d]
// A sequence without rows gives zeros. One that is longer than E is a ShapeError, as are operands
// that don't fit. The bits of a sequence depend on that sequence and E alone.
template <class Real>
void project_rows(View<const Real> x, View<const Real> weight, View<const std::int32_t> offsets,
                  View<Real> y);
// Adds to dx and dweight (sequences in their order); each may be absent.
template <class Real>
void project_rows_backward(View<const Real> dy, View<const Real> x, View<const Real> weight,
                           View<const std::int32_t> offsets, View<Real> dx, View<Real> dweight);

}  // namespace attune::kernels
