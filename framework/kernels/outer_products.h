#pragma once

#include "tensor/view.h"

namespace attune::kernels {

// How many parts n rows are cut into: halves, unless they are few.
constexpr Index outer_parts(Index n) { return n < 256 ? 1 : 2; }

// sum += aᵀ b, and, where `columns` is there, columns += Σ_rows a: a product over many rows of two
// narrow matrices, such as the gradient of a weight.
//   a [n, m], b [n, d], sum [m, d], columns [m] or absent
// By element: the rows of the first half are one fma chain in their order from the old value, those
// of the second from 0, and the second is added to the first. Sums of columns are the same, of
// additions. The halves are the tasks: none packs what another one has packed, one core hands
// another no more than its sums, and nothing waits but the end.
template <class Real>
void outer_products(const char* kernel, View<const Real> a, View<const Real> b, View<Real> sum,
                    View<Real> columns);

}  // namespace attune::kernels
