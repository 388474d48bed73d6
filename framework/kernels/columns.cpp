#include "kernels/columns.h"

#include <algorithm>

#include "kernels/lanes.h"
#include "kernels/parallel.h"

namespace attune::kernels {
namespace {

// f(i) for every row, by blocks of rows.
template <class F>
void for_rows(const char* kernel, Index n, Index columns, F f) {
  parallel_ranges(kernel, n, kRowsPerBlock, 0.3 * static_cast<double>(n * columns),
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) f(i);
                  });
}

// to += from, d elements.
template <class Real>
void add_row(const Real* from, Index d, Real* to) {
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    lanes.store(to + j, lanes.load(to + j) + lanes.load(from + j));
  });
}

template <class T, class U>
void check_heads_of(const char* kernel, Index n_heads, View<T> x, const char* x_name, View<U> y,
                    const char* y_name) {
  check_rank(kernel, x_name, x, 2);
  ATTUNE_CHECK(n_heads >= 1 && x.dim(1) % n_heads == 0, ShapeError,
               "[{}] {} has {} columns, which {} heads do not divide.", kernel, x_name, x.dim(1),
               n_heads);
  check_shape(kernel, y_name, y, {x.dim(0), x.dim(1) / n_heads}, "one head's columns");
}

}  // namespace

template <class Real>
void concat_columns(View<const Real> a, View<const Real> b, View<Real> y) {
  check_rank("concat_columns", "a", a, 2);
  check_rank("concat_columns", "b", b, 2);
  const Index n = a.dim(0), d_a = a.dim(1), d_b = b.dim(1), d = d_a + d_b;
  check_shape("concat_columns", "b", b, {n, d_b}, "a's rows");
  check_shape("concat_columns", "y", y, {n, d}, "the columns of a and b");
  for_rows("concat_columns", n, d, [&](Index i) {
    std::copy_n(b.data() + i * d_b, d_b, std::copy_n(a.data() + i * d_a, d_a, y.data() + i * d));
  });
}

template <class Real>
void concat_columns_backward(View<const Real> dy, View<Real> da, View<Real> db) {
  const char* const kernel = "concat_columns_backward";
  check_rank(kernel, "dy", dy, 2);
  const Index n = dy.dim(0), d = dy.dim(1);
  if (!da && !db) return;
  const Index d_a = da ? da.dim(1) : d - db.dim(1), d_b = d - d_a;
  if (da) check_shape(kernel, "da", da, {n, d_a}, "dy's rows");
  if (db) check_shape(kernel, "db", db, {n, d_b}, "the columns that da leaves of dy");
  for_rows(kernel, n, d, [&](Index i) {
    if (da) add_row(dy.data() + i * d, d_a, da.data() + i * d_a);
    if (db) add_row(dy.data() + i * d + d_a, d_b, db.data() + i * d_b);
  });
}

template <class Real>
void mean_heads(Index n_heads, View<const Real> x, View<Real> y) {
  check_heads_of("mean_heads", n_heads, x, "x", y, "y");
  const Index d = y.dim(1);
  const Vec<Real> share = Real(1) / static_cast<Real>(n_heads);
  for_rows("mean_heads", x.dim(0), x.dim(1), [&](Index i) {
    for_lanes<Real>(d, [&](Index j, auto lanes) {
      Vec<Real> total = Real(0);
      for (Index h = 0; h < n_heads; ++h) {
        total += lanes.load(x.data() + (i * n_heads + h) * d + j);
      }
      lanes.store(y.data() + i * d + j, total * share);
    });
  });
}

template <class Real>
void mean_heads_backward(Index n_heads, View<const Real> dy, View<Real> dx) {
  if (!dx) return;
  check_heads_of("mean_heads_backward", n_heads, dx, "dx", dy, "dy");
  const Index d = dy.dim(1);
  const Vec<Real> share = Real(1) / static_cast<Real>(n_heads);
  for_rows("mean_heads_backward", dx.dim(0), dx.dim(1), [&](Index i) {
    for_lanes<Real>(d, [&](Index j, auto lanes) {
      const Vec<Real> g = lanes.load(dy.data() + i * d + j) * share;
      for (Index h = 0; h < n_heads; ++h) {
        Real* to = dx.data() + (i * n_heads + h) * d + j;
        lanes.store(to, lanes.load(to) + g);
      }
    });
  });
}

template void concat_columns(View<const float>, View<const float>, View<float>);
template void concat_columns_backward(View<const float>, View<float>, View<float>);
template void mean_heads(Index, View<const float>, View<float>);
template void mean_heads_backward(Index, View<const float>, View<float>);
template void concat_columns(View<const double>, View<const double>, View<double>);
template void concat_columns_backward(View<const double>, View<double>, View<double>);
template void mean_heads(Index, View<const double>, View<double>);
template void mean_heads_backward(Index, View<const double>, View<double>);

}  // namespace attune::kernels
