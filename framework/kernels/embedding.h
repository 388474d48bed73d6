#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// y_i = table[ids_i].  table [V, d], ids [n], y [n, d]. An id outside [0, V) is a ShapeError that
// names its row and value.
template <class Real>
void embedding(View<const Real> table, View<const std::int32_t> ids, View<Real> y);

// dtable[ids_i] += dy_i, the rows of one id in increasing i.
template <class Real>
void embedding_backward(View<const Real> dy, View<const std::int32_t> ids, View<Real> dtable);

// One term of scatter_add: table row `to` gets `weight` times dy's row `from`.
template <class Real>
struct ScatterTerm {
  std::int32_t to, from;
  Real weight;
};

// dtable[to] += weight · dy[from] for every term (0 ≤ to < V, 0 ≤ from < n, not checked). Terms are
// sorted by `to`, those of one row stay in their order, and table rows are shared out: no partial
// sums, no dependence on threads.
template <class Real>
void scatter_add(const char* kernel, View<const ScatterTerm<Real>> terms, View<const Real> dy,
                 View<Real> dtable);

}  // namespace attune::kernels
