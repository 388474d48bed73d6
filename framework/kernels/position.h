#pragma once

#include <cstdint>

#include "tensor/view.h"

// Learned positions, added to packed rows. A table of R rows serves sizes it has never seen: size
// r ≤ R reads row i as it is; a larger one reads the table at i · (R − 1) / (r − 1), interpolated
// linearly between neighbours, so that both ends stay ends. A token's bits depend on its own row,
// its place and the size of its example. Operands that don't fit are a ShapeError.
namespace attune::kernels {

// Factorised positions of images: y = x + row_table[row] + column_table[column].
//   x, y [n, d]; offsets [B + 1]; grid [B, 2]: rows and columns of patches, in raster order;
//   row_table [R, d], column_table [C, d]
//   leading: rows at the start of each example that have no place (1 with a cls row, else 0)
//   reading: `index` as above; `fraction` reads every table at the middle of the patch as a share
//   of the grid's side, (i + ½) / r · (R − 1), whatever its size (Dehghani et al. 2023, NaViT)
// An example must have leading + rows · columns rows.
enum class GridReading { index, fraction };
template <class Real>
void add_grid_positions(View<const Real> x, View<const std::int32_t> offsets,
                        View<const std::int32_t> grid, Index leading, View<const Real> row_table,
                        View<const Real> column_table, View<Real> y,
                        GridReading reading = GridReading::index);

// Adds to dx and to the tables' gradients, token by token in the order of the pack; each may be
// absent.
template <class Real>
void add_grid_positions_backward(View<const Real> dy, View<const std::int32_t> offsets,
                                 View<const std::int32_t> grid, Index leading, View<Real> dx,
                                 View<Real> drow_table, View<Real> dcolumn_table,
                                 GridReading reading = GridReading::index);

// Positions of sequences: y = x + table[index of the token in its example].  table [L, d]
template <class Real>
void add_sequence_positions(View<const Real> x, View<const std::int32_t> offsets,
                            View<const Real> table, View<Real> y);
template <class Real>
void add_sequence_positions_backward(View<const Real> dy, View<const std::int32_t> offsets,
                                     View<Real> dx, View<Real> dtable);

// Sinusoids (Vaswani et al. 2017, section 3.5): y = x + p, for the token at place i of its sequence
// p_2t = sin(i / 10000^(2t/d)), p_2t+1 = cos(i / 10000^(2t/d)), with i mod period where that is not
// 0. Its backward is that of a copy.
template <class Real>
void add_sinusoids(View<const Real> x, View<const std::int32_t> offsets, Index period,
                   View<Real> y);

}  // namespace attune::kernels
