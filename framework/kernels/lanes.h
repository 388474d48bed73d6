#pragma once

#include <cstring>

#include "kernels/micro_kernel.h"
#include "kernels/simd.h"
#include "tensor/view.h"

// What row and pointwise kernels are made of: shape checks, loops over vectors with a masked tail,
// sums over chunks of rows.
namespace attune::kernels {

template <class T>
void check_shape(const char* kernel, const char* operand, const View<T>& view, const Shape& wanted,
                 const char* because) {
  ATTUNE_CHECK(view.shape() == wanted, ShapeError, "[{}] {} is {}, but must be {} to fit {}.",
               kernel, operand, view.shape().text(), wanted.text(), because);
}
template <class T>
void check_rank(const char* kernel, const char* operand, const View<T>& view, int rank) {
  ATTUNE_CHECK(view.rank() == rank, ShapeError, "[{}] {} is {}, but must have {} dimensions.",
               kernel, operand, view.shape().text(), rank);
}

// How the loop below reaches memory: whole vectors, or the first n lanes of the last one. Both go
// through the same arithmetic, so an element's bits don't tell where in the row it stands.
template <class Real>
struct AllLanes {
  Vec<Real> load(const Real* p) const { return kernels::load(p); }
  void store(Real* p, Vec<Real> x) const { kernels::store(p, x); }
  // x, with `rest` in the lanes beyond the row.
  Vec<Real> keep(Vec<Real> x, Real) const { return x; }
};
template <class Real>
struct SomeLanes {
  Index n;
  Vec<Real> load(const Real* p) const { return load_n(p, n); }
  void store(Real* p, Vec<Real> x) const { store_n(p, n, x); }
  Vec<Real> keep(Vec<Real> x, Real rest) const {
    return select(first_lanes<Real>(n), x, Vec<Real>(rest));
  }
};

// f(i, lanes) for i = 0, kLanes, 2 kLanes, … below n.
template <class Real, class F>
inline void for_lanes(Index n, F&& f) {
  Index i = 0;
  for (; i + kLanes<Real> <= n; i += kLanes<Real>) f(i, AllLanes<Real>{});
  if (i < n) f(i, SomeLanes<Real>{n - i});
}

// f(vectors, last, j) for the columns j … of every four vectors of d, or those that are left: a
// constant, and the lanes of the last of them. Their sums are in registers then.
template <class Real, class F>
inline void for_columns(Index d, const F& f) {
  constexpr Index kStep = kLanes<Real>, kWide = 4;
  Index j = 0;
  for (; j + kWide * kStep <= d; j += kWide * kStep) f(Fixed<kWide>{}, AllLanes<Real>{}, j);
  if (j == d) return;
  const Index vectors = (d - j + kStep - 1) / kStep;
  const SomeLanes<Real> last{d - j - (vectors - 1) * kStep};
  switch (vectors) {
    case 1:
      return f(Fixed<1>{}, last, j);
    case 2:
      return f(Fixed<2>{}, last, j);
    case 3:
      return f(Fixed<3>{}, last, j);
    default:
      return f(Fixed<4>{}, last, j);
  }
}

// f(i) for those i < n, rising, whose lane holds in test(i of lane 0, lanes): for tests that hold
// rarely.
template <class Real, class Test, class F>
inline void for_each_where(Index n, Test&& test, F&& f) {
  for_lanes<Real>(n, [&](Index i, auto lanes) {
    unsigned found = lane_bits(test(i, lanes) & first_lanes<Real>(n - i));
    for (; found != 0; found &= found - 1) f(i + __builtin_ctz(found));
  });
}

// The first min(n, kLanes<double>) elements as doubles, and zeros.
template <class Real>
inline Vec<double> widened(const Real* p, Index n) {
  constexpr Index kWide = kLanes<double>;
  typedef Real Narrow __attribute__((vector_size(kWide * sizeof(Real))));
  Narrow few{};
  if (n >= kWide) {
    std::memcpy(&few, p, sizeof few);
  } else {
    std::memcpy(&few, p, static_cast<std::size_t>(n) * sizeof(Real));
  }
  return Vec<double>(__builtin_convertvector(few, Vec<double>::Reals));
}

// Rows a block of the row kernels takes; also the chunk of their sums over rows.
inline constexpr Index kRowsPerBlock = 64;
inline Index row_blocks(Index n) { return (n + kRowsPerBlock - 1) / kRowsPerBlock; }

// y[j] += chunk 0's sum, then chunk 1's, …: chunks [n_chunks] start `stride` apart, each [d].
template <class Real>
inline void add_chunks(const Real* chunks, Index n_chunks, Index stride, View<Real> y) {
  for_lanes<Real>(y.size(), [&](Index j, auto lanes) {
    Vec<Real> sum = lanes.load(y.data() + j);
    for (Index c = 0; c < n_chunks; ++c) sum += lanes.load(chunks + c * stride + j);
    lanes.store(y.data() + j, sum);
  });
}

}  // namespace attune::kernels
