#pragma once

#include "tensor/view.h"

namespace attune::kernels {

// How many parts n rows are cut into, each of ⌈n / parts⌉ rows, the last of what is left.
constexpr Index outer_parts(Index n) { return n < 256 ? 1 : n < 512 ? 2 : 4; }

// sum += aᵀ b, and, where `columns` is there, columns += Σ_rows a: a product over many rows of two
// narrow matrices, such as the gradient of a weight.
//   a [n, m], b [n, d], sum [m, d], columns [m] or absent
// By element: the rows of each part are one fma chain in their order, of the first part from the
// old value, of the others from 0, and these are then added in their order. Sums of columns are
// the same, of additions. Parts are the tasks: none packs what another one has packed, and nothing
// waits but the end.
template <class Real>
void outer_products(const char* kernel, View<const Real> a, View<const Real> b, View<Real> sum,
                    View<Real> columns);

}  // namespace attune::kernels
