#pragma once

#include "kernels/dropout.h"
#include "tensor/packed.h"

// Products and dropout of sparse rows (tensor/packed.h): row i of X has values[e] in column
// rows.indices[e] for its entries e; a column that a row names twice counts twice.
namespace attune::kernels {

// ShapeError that names `kernel`, place and value unless indptr begins at 0, never falls and ends
// at the number of indices, and these lie in 0 … n_columns − 1.
void check_sparse(const char* kernel, const SparseRows& rows, Index n_columns);

// The entries by column: those of column c are entries[indptr[c]] …, rising, and in the rows
// `rows`. All of them views of the caller's.
//   indptr [n_columns + 1], entries and row_of [n_entries]
void by_column(const SparseRows& rows, View<std::int32_t> indptr, View<std::int32_t> entries,
               View<std::int32_t> row_of);

// y = X Wᵀ + bias.
//   values [n_entries], weight [d_out, d_in], bias [d_out] or absent, y [n, d_out]
// y_ij is one fma chain over the row's entries, in their order, from bias_j.
template <class Real>
void sparse_linear(View<const Real> values, const SparseRows& rows, View<const Real> weight,
                   View<const Real> bias, View<Real> y);

// dweight += dyᵀ X: each element the sum over its column's entries, rising. [d_out, d_in]
template <class Real>
void sparse_linear_backward_weight(View<const Real> dy, View<const Real> values,
                                   const SparseRows& rows, View<Real> dweight);

// dvalues[e] += dy_i · W's column of entry e. [n_entries]
template <class Real>
void sparse_linear_backward_values(View<const Real> dy, const SparseRows& rows,
                                   View<const Real> weight, View<Real> dvalues);

// What dropout() makes of the dense rows: an entry is kept where the element of its column is.
//   example, token [n]: logical coordinates of the rows; values and y [n_entries]
template <class Real>
void sparse_dropout(const DropoutOptions& options, const SparseRows& rows,
                    View<const std::int32_t> example, View<const std::int32_t> token,
                    View<const Real> values, View<Real> y);

// dvalues += dy where it was kept, scaled.
template <class Real>
void sparse_dropout_backward(const DropoutOptions& options, const SparseRows& rows,
                             View<const std::int32_t> example, View<const std::int32_t> token,
                             View<const Real> dy, View<Real> dvalues);

}  // namespace attune::kernels
