#pragma once

#include "base/shape.h"

namespace attune::kernels {

// A matrix somebody else owns: element (i, j) stands at data[i · row + j · col]. Swapped strides
// are its transpose.
template <class Real>
struct Matrix {
  Real* data;
  Index row, col;
};

// c[i, j] = start[i, j] + Σ_k a[i, k] · b[k, j] for i < m, j < n: the one product that all others
// are made of.
//   a, c   rows contiguous (col 1); c does not overlap a or b
//   b      one stride is 1
//   start  {nullptr, 0, 1}: zeros; {bias, 0, 1}: the same row of biases for every i; c itself: adds
//          to c
//   kernel names the loops in Threads::splits()
// Every element is one fma chain over k in increasing k from its start, in any build, tile, tail or
// thread, so a row of c depends on that row of a alone: acc = start; for k: acc = fma(a[i, k], b[k,
// j], acc). Empty m, n and k are legal.
template <class Real>
void gemm(const char* kernel, Index m, Index n, Index k, Matrix<const Real> a, Matrix<const Real> b,
          Matrix<const Real> start, Matrix<Real> c);

}  // namespace attune::kernels
