#pragma once

#include "kernels/dropout.h"
#include "tensor/packed.h"

// X [n, d_in] whose entry e of row i is values[e], at column rows.indices[e]; repeated columns add
// up. An entry of 0 is as if it were not stored, so that what is infinite or NaN does not meet it.
// Operands that don't fit are a ShapeError; an absent gradient is skipped.
namespace attune::kernels {

// y = X Wᵀ + bias.  values [nnz], weight [d_out, d_in], bias [d_out] or absent, y [n, d_out]
// y_ij is one fma chain over the entries of row i in their order, from bias_j: a row's bits depend
// on its entries alone.
template <class Real>
void sparse_linear(const SparseRows& rows, View<const Real> values, View<const Real> weight,
                   View<const Real> bias, View<Real> y);

// dvalues_e += dy_i · weight's column at e,   dweight += dyᵀ X: each of its elements the sum over
// the entries of its column in the order of rows, added to what was there.
// For the bias: linear_backward_bias.
template <class Real>
void sparse_linear_backward(const SparseRows& rows, View<const Real> dy, View<const Real> values,
                            View<const Real> weight, View<Real> dvalues, View<Real> dweight);

// y_e = M_e values_e / (1 − p̂), with the M that dropout() of the dense matrix has at the entry's
// row and column.  example, token [n]: of each row, as dropout() has them.
template <class Real>
void sparse_dropout(const DropoutOptions& options, const SparseRows& rows,
                    View<const std::int32_t> example, View<const std::int32_t> token,
                    View<const Real> values, View<Real> y);

// dvalues += M ∘ dy / (1 − p̂).
template <class Real>
void sparse_dropout_backward(const DropoutOptions& options, const SparseRows& rows,
                             View<const std::int32_t> example, View<const std::int32_t> token,
                             View<const Real> dy, View<Real> dvalues);

}  // namespace attune::kernels
