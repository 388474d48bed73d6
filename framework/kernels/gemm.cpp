#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/micro_kernel.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr double kNanosecondsPerFlop = 0.01;  // about 100 GF/s
constexpr Index kMaxRowBlock = 96;  // rows of a task: their a (k 64) fits L1 beside a panel of b

// Rows of a task: enough tasks to share, enough rows that reading a panel of b pays. A function of
// m alone.
Index row_block(Index m) {
  const Index eighth = (m + 7) / 8;
  return std::clamp<Index>((eighth + 5) / 6 * 6, 12, kMaxRowBlock);
}

// Length of a block of k. In one go where it fits L2 with its panel; a that must be packed goes in
// shorter blocks, so that packed a and panel stay in L1.
Index k_block(Index k, bool pack_a) {
  if (pack_a) return 128;
  return k <= 512 ? std::max<Index>(k, 1) : 256;
}

// One panel of b, columns [j, j + width), as [k][kPanelWidth]; columns beyond width are left as
// they are, since every reader masks them.
template <class Real>
void pack_panel(Index k, Index width, Matrix<const Real> b, Real* packed) {
  constexpr Index kWidth = kPanelWidth<Real>, n = kLanes<Real>;
  for (Index j = 0; j < width; j += n) {
    const Index columns = std::min(n, width - j);
    if (b.col == 1) {
      for (Index i = 0; i < k; ++i) {
        store(packed + i * kWidth + j, load_n(b.data + i * b.row + j, columns));
      }
      continue;
    }
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
void pack_rows(Index rows, Index k, Matrix<const Real> a, Real* packed) {
  for (Index i = 0; i < k; ++i) {
    for (Index r = 0; r < rows; r += kLanes<Real>) {
      const Index count = std::min<Index>(kLanes<Real>, rows - r);
      store_n(packed + i * kMaxRowBlock + r, count, load_n(a.data + i * a.col + r, count));
    }
  }
}

}  // namespace

template <class Real>
void gemm(const char* kernel, Index m, Index n, Index k, Matrix<const Real> a, Matrix<const Real> b,
          Matrix<const Real> start, Matrix<Real> c) {
  ATTUNE_CHECK((a.row == 1 || a.col == 1) && (b.row == 1 || b.col == 1) && c.col == 1, ShapeError,
               "[gemm] strides of a are ({}, {}), of b ({}, {}), of c ({}, {}): one of a's and of "
               "b's must be 1, and c's "
               "second",
               a.row, a.col, b.row, b.col, c.row, c.col);
  if (m <= 0 || n <= 0) return;
  constexpr Index kWidth = kPanelWidth<Real>;
  const Index n_panels = (n + kWidth - 1) / kWidth;

  Scratch scratch;
  Real* const packed = scratch.allocate<Real>(n_panels * k * kWidth);
  parallel_for("gemm.pack", n_panels, 0.3 * static_cast<double>(n * k), [&](Index p) {
    const Index j = p * kWidth;
    pack_panel<Real>(k, std::min(kWidth, n - j), {b.data + j * b.col, b.row, b.col},
                     packed + p * k * kWidth);
  });

  const bool pack_a = a.col != 1;
  const Index step = k_block(k, pack_a);
  const double cost = kNanosecondsPerFlop * 2 * static_cast<double>(m) * static_cast<double>(n) *
                      static_cast<double>(k);
  parallel_ranges(kernel, m, row_block(m), cost, [&](Index begin, Index end) {
    Scratch local;
    Real* const slice = pack_a ? local.allocate<Real>(step * kMaxRowBlock) : nullptr;
    for (Index i = 0; i == 0 || i < k; i += step) {
      const Index length = std::min(step, k - i);
      const Matrix<const Real> rows{a.data + begin * a.row + i * a.col, a.row, a.col};
      if (pack_a) pack_rows(end - begin, length, rows, slice);
      for (Index p = 0; p < n_panels; ++p) {
        const Index j = p * kWidth, width = std::min(kWidth, n - j);
        const auto panel = operand(packed + (p * k + i) * kWidth, Fixed<kWidth>{});
        const auto to = operand(c.data + begin * c.row + j, c.row);
        // The first block starts the chain, later ones take it up where it was put down.
        const auto from = i > 0 ? operand(static_cast<const Real*>(to.data), c.row)
                                : operand(start.data, start.row).shifted(begin, j);
        if (pack_a) {
          multiply<Real>(end - begin, width, length,
                         operand(slice, Fixed<1>{}, Fixed<kMaxRowBlock>{}), panel, from, to);
        } else {
          multiply<Real>(end - begin, width, length, operand(rows.data, rows.row), panel, from, to);
        }
      }
    }
  });
}

template void gemm(const char*, Index, Index, Index, Matrix<const float>, Matrix<const float>,
                   Matrix<const float>, Matrix<float>);
template void gemm(const char*, Index, Index, Index, Matrix<const double>, Matrix<const double>,
                   Matrix<const double>, Matrix<double>);

}  // namespace attune::kernels
