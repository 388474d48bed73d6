#pragma once

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/micro_kernel.h"
#include "tensor/arena.h"

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

// b [k, n] in panels of `width` columns, each as pack_panel() has it.
template <class Real>
struct Panels {
  const Real* data;
  Index k, n, width;
};

// In scratch; a matrix that is as wide as a panel is one already, and stays where it is.
template <class Real>
Panels<Real> pack_panels(Index k, Index n, Matrix<const Real> b, Scratch& scratch) {
  constexpr Index kWidth = kPanelWidth<Real>, kVector = kLanes<Real>;
  if (b.col == 1 && b.row == kWidth && n == kWidth) return {b.data, k, n, kWidth};
  // As few panels as there can be, of the same width: one that is a vector wide is slow.
  const Index n_panels = std::max<Index>((n + kWidth - 1) / kWidth, 1),
              width = ((n + n_panels - 1) / n_panels + kVector - 1) / kVector * kVector;
  Real* const packed = scratch.allocate<Real>(n_panels * kWidth * k);
  for (Index j = 0, p = 0; j < n; j += width, ++p)
    pack_panel<Real>(k, std::min(width, n - j), {b.data + j * b.col, b.row, b.col},
                     packed + p * kWidth * k);
  return {packed, k, n, width};
}

// c [m, n] = start + a b, as gemm() has it, for a [m, k] whose rows are contiguous.
template <class Real>
void rows_times_panels(Index m, Matrix<const Real> a, const Panels<Real>& b,
                       Matrix<const Real> start, Matrix<Real> c) {
  constexpr Index kWidth = kPanelWidth<Real>;
  // In one go where a panel fits L1 or L2. Later steps take the chain up where it was put down.
  const Index step = b.k <= 512 ? std::max<Index>(b.k, 1) : 256;
  for (Index i = 0; i == 0 || i < b.k; i += step) {
    for (Index j = 0, p = 0; j < b.n; j += b.width, ++p) {
      const auto to = operand(c.data + j, c.row);
      multiply<Real>(m, std::min(b.width, b.n - j), std::min(step, b.k - i),
                     operand(a.data + i, a.row),
                     operand(b.data + (p * b.k + i) * kWidth, Fixed<kWidth>{}),
                     i > 0 ? operand(static_cast<const Real*>(to.data), c.row)
                           : operand(start.data, start.row).shifted(0, j),
                     to);
    }
  }
}

// How m rows are cut into tasks: enough rows that reading a panel of b from L2 pays, and tasks in
// fours of the same size, so that two or four threads end together and meet at the rows where they
// meet in every other loop. A function of m alone.
class RowTasks {
 public:
  explicit RowTasks(Index m) : m_(m), n_(std::min((m + kMaxRowBlock - 1) / kMaxRowBlock, m)) {
    if (m >= 4 * kFewRows) n_ = (n_ + 3) / 4 * 4;
  }
  Index count() const { return n_; }
  Index first(Index task) const { return m_ * task / n_; }
  Index rows(Index task) const { return first(task + 1) - first(task); }
  Index most_rows() const { return n_ == 0 ? 0 : (m_ + n_ - 1) / n_; }

 private:
  static constexpr Index kFewRows = 36;
  Index m_, n_;
};

inline constexpr double kNanosecondsPerFlop = 0.01;  // about 100 GF/s

// Serial ns of a product, packing included.
inline double gemm_cost(Index m, Index n, Index k) {
  return (kNanosecondsPerFlop * 2 * static_cast<double>(m) + 0.3) * static_cast<double>(n) *
         static_cast<double>(k);
}

// From row i on; an absent matrix stays absent.
template <class T>
Matrix<T> at_row(Matrix<T> x, Index i) {
  return {x.data == nullptr ? nullptr : x.data + i * x.row, x.row, x.col};
}

}  // namespace attune::kernels
