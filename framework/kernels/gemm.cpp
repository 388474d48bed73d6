#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/gemm_packing.h"
#include "kernels/micro_kernel.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {

template <class Real>
void gemm(const char* kernel, Index m, Index n, Index k, Matrix<const Real> a, Matrix<const Real> b,
          Matrix<const Real> start, Matrix<Real> c) {
  ATTUNE_CHECK(a.col == 1 && (b.row == 1 || b.col == 1) && c.col == 1, ShapeError,
               "[gemm] strides of a are ({}, {}), of b ({}, {}), of c ({}, {}): the second of a's "
               "and of c's must be 1, and one of b's",
               a.row, a.col, b.row, b.col, c.row, c.col);
  if (m <= 0 || n <= 0) return;
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
