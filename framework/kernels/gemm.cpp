#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/gemm_packing.h"
#include "kernels/micro_kernel.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// Of a that is contiguous by columns, as in products over tokens: both a and b are packed in pieces
// of k that stay in cache.
constexpr Index kPack = 256, kStep = 128;

template <class Real>
void columns_times(const char* kernel, Index m, Index n, Index k, Matrix<const Real> a,
                   Matrix<const Real> b, Matrix<const Real> start, Matrix<Real> c) {
  constexpr Index kWidth = kPanelWidth<Real>;
  const RowTasks tasks(m);
  for (Index first = 0; first == 0 || first < k; first += kPack) {
    const Index depth = std::min(kPack, k - first);
    parallel_shares(kernel, tasks.count(), gemm_cost(m, n, depth), [&](Blocks& blocks) {
      Scratch local;
      const auto panels =
          pack_panels<Real>(depth, n, {b.data + first * b.row, b.row, b.col}, local);
      Real* const slice = local.allocate<Real>(kStep * kMaxRowBlock);
      for (Index block = 0; blocks.next(block);) {
        const Index row = tasks.first(block), height = tasks.rows(block);
        for (Index i = 0; i == 0 || i < depth; i += kStep) {
          const Index length = std::min(kStep, depth - i);
          pack_columns<Real>(height, length,
                             {a.data + row * a.row + (first + i) * a.col, a.row, a.col}, slice);
          for (Index j = 0; j < n; j += kWidth) {
            const auto to = operand(c.data + row * c.row + j, c.row);
            multiply<Real>(
                height, std::min(kWidth, n - j), length,
                operand(static_cast<const Real*>(slice), Fixed<1>{}, Fixed<kMaxRowBlock>{}),
                operand(panels.data + j * depth + i * kWidth, Fixed<kWidth>{}),
                first + i > 0 ? operand(static_cast<const Real*>(to.data), c.row)
                              : operand(start.data, start.row).shifted(row, j),
                to);
          }
        }
      }
    });
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
  if (a.col != 1) return columns_times(kernel, m, n, k, a, b, start, c);
  const RowTasks tasks(m);
  parallel_shares(kernel, tasks.count(), gemm_cost(m, n, k), [&](Blocks& blocks) {
    Scratch local;
    const Panels<Real> panels = pack_panels(k, n, b, local);
    for (Index block = 0; blocks.next(block);) {
      const Index row = tasks.first(block);
      rows_times_panels<Real>(tasks.rows(block), at_row(a, row), panels, at_row(start, row),
                              at_row(c, row));
    }
  });
}

template void gemm(const char*, Index, Index, Index, Matrix<const float>, Matrix<const float>,
                   Matrix<const float>, Matrix<float>);
template void gemm(const char*, Index, Index, Index, Matrix<const double>, Matrix<const double>,
                   Matrix<const double>, Matrix<double>);

}  // namespace attune::kernels
