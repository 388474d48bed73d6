#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/gemm_packing.h"
#include "kernels/micro_kernel.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr double kNanosecondsPerFlop = 0.01;  // about 100 GF/s

// Rows of a task, full tiles of the micro-kernel: enough rows that reading a panel of b from L2
// pays, and few tasks in fours, so that two or four threads end together. A function of m alone.
Index row_block(Index m) {
  const Index tasks = (m + kMaxRowBlock - 1) / kMaxRowBlock, shared = (tasks + 3) / 4 * 4;
  const Index rows = (m + shared - 1) / shared;
  return std::clamp<Index>((rows + 5) / 6 * 6, 36, kMaxRowBlock);
}

// How k is cut. b is packed `pack` rows at a time, and a task runs through them in steps of `step`.
//   a by rows (weights are b): all of b at once, k in one go where a panel of it fits L1 or L2.
//   a by columns (gradients of weights, k counts tokens): both are packed in short pieces that stay
//   in cache.
struct Cut {
  Index pack, step;
};
Cut cut(Index k, bool pack_a) {
  if (pack_a) return {256, 128};
  return {std::max<Index>(k, 1), k <= 512 ? std::max<Index>(k, 1) : 256};
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

  const bool pack_a = a.col != 1;
  const Cut blocks = cut(k, pack_a);
  const Index pack = blocks.pack, step = blocks.step;
  Scratch scratch;
  Real* const packed = scratch.allocate<Real>(n_panels * std::min(pack, k) * kWidth);
  for (Index first = 0; first == 0 || first < k; first += pack) {
    const Index depth = std::min(pack, k - first);
    const double elements = static_cast<double>(n) * static_cast<double>(depth);
    parallel_for("gemm.pack", n_panels, 0.3 * elements, [&](Index p) {
      const Index j = p * kWidth;
      pack_panel<Real>(depth, std::min(kWidth, n - j),
                       {b.data + first * b.row + j * b.col, b.row, b.col},
                       packed + p * depth * kWidth);
    });
    parallel_ranges(
        kernel, m, row_block(m), kNanosecondsPerFlop * 2 * static_cast<double>(m) * elements,
        [&](Index begin, Index end) {
          Scratch local;
          Real* const slice = pack_a ? local.allocate<Real>(step * kMaxRowBlock) : nullptr;
          for (Index i = 0; i == 0 || i < depth; i += step) {
            const Index length = std::min(step, depth - i);
            const Matrix<const Real> rows{a.data + begin * a.row + (first + i) * a.col, a.row,
                                          a.col};
            if (pack_a) pack_columns(end - begin, length, rows, slice);
            for (Index p = 0; p < n_panels; ++p) {
              const Index j = p * kWidth, width = std::min(kWidth, n - j);
              const auto panel = operand(
                  static_cast<const Real*>(packed) + (p * depth + i) * kWidth, Fixed<kWidth>{});
              const auto to = operand(c.data + begin * c.row + j, c.row);
              // The first block starts the chain, later ones take it up where it was put down.
              const auto from = first + i > 0 ? operand(static_cast<const Real*>(to.data), c.row)
                                              : operand(start.data, start.row).shifted(begin, j);
              if (pack_a) {
                const auto by_columns =
                    operand(static_cast<const Real*>(slice), Fixed<1>{}, Fixed<kMaxRowBlock>{});
                multiply<Real>(end - begin, width, length, by_columns, panel, from, to);
              } else {
                multiply<Real>(end - begin, width, length, operand(rows.data, rows.row), panel,
                               from, to);
              }
            }
          }
        });
  }
}

template void gemm(const char*, Index, Index, Index, Matrix<const float>, Matrix<const float>,
                   Matrix<const float>, Matrix<float>);
template void gemm(const char*, Index, Index, Index, Matrix<const double>, Matrix<const double>,
                   Matrix<const double>, Matrix<double>);

}  // namespace attune::kernels
