#pragma once

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/micro_kernel.h"

// How operands of products are laid out for the micro-kernel.
namespace attune::kernels {

// Rows of a packed slice of a: with k 64 they fit L1 beside a panel of b.
inline constexpr Index kMaxRowBlock = 96;

// One panel of b, columns [0, width), as [k][kPanelWidth]; columns beyond width hold anything,
// readers mask them.
template <class Real>
void pack_panel(Index k, Index width, Matrix<const Real> b, Real* packed) {
  constexpr Index kWidth = kPanelWidth<Real>, n = kLanes<Real>;
  if (b.col == 1) {
    for (Index i = 0; i < k; ++i) {
      for (Index j = 0; j < width; j += n) {
        store(packed + i * kWidth + j, load_n(b.data + i * b.row + j, std::min(n, width - j)));
      }
    }
    return;
  }
  for (Index j = 0; j < width; j += n) {
    const Index columns = std::min(n, width - j);
    for (Index i = 0; i < k; i += n) {
      const Index rows = std::min(n, k - i);
      Vec<Real> square[kLanes<Real>];
#pragma GCC unroll 16
      for (Index c = 0; c < n; ++c) {
        square[c] = c < columns ? load_n(b.data + i + (j + c) * b.col, rows) : Vec<Real>(Real(0));
      }
      transpose(square);
#pragma GCC unroll 16
      for (Index r = 0; r < n; ++r) {
        if (r < rows) store(packed + (i + r) * kWidth + j, square[r]);
      }
    }
  }
}

// Rows [0, rows) of a whose columns are contiguous, as [k][kMaxRowBlock].
template <class Real>
void pack_columns(Index rows, Index k, Matrix<const Real> a, Real* packed) {
  for (Index i = 0; i < k; ++i) {
    for (Index r = 0; r < rows; r += kLanes<Real>) {
      const Index count = std::min<Index>(kLanes<Real>, rows - r);
      store_n(packed + i * kMaxRowBlock + r, count, load_n(a.data + i * a.col + r, count));
    }
  }
}

}  // namespace attune::kernels
