#include "kernels/sparse.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/philox_simd.h"
#include "kernels/pointwise.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kTile = 16;  // side of the squares that a transpose goes by

// y [columns, rows] = or += the transpose of x [rows, columns].
template <class Real, class Put>
void transpose_into(const char* kernel, View<const Real> x, View<Real> y, Put put) {
  const Index rows = x.dim(0), columns = x.dim(1);
  parallel_ranges(kernel, columns, 4 * kTile, 1.0 * static_cast<double>(rows * columns),
                  [&](Index begin, Index end) {
                    for (Index i = 0; i < rows; i += kTile)
                      for (Index j = begin; j < end; j += kTile)
                        for (Index jj = j; jj < std::min(end, j + kTile); ++jj)
                          for (Index ii = i; ii < std::min(rows, i + kTile); ++ii)
                            put(y(jj, ii), x(ii, jj));
                  });
}

// Wᵀ, so that a column of W is a row of memory.
template <class Real>
View<const Real> transposed(const char* kernel, View<const Real> weight, Scratch& scratch) {
  const auto columns = scratch.view<Real>({weight.dim(1), weight.dim(0)});
  transpose_into(kernel, weight, columns, [](Real& to, Real from) { to = from; });
  return columns;
}

// sum[0 … d) = start + Σ_k factor(k) · row(k)[0 … d) over k < n, one fma chain an element.
template <class Real, class Factor, class Row>
void add_rows(Index d, const Real* start, Index n, const Factor& factor, const Row& row,
              Real* sum) {
  constexpr Index kWide = 4 * kLanes<Real>;
  Index j = 0;
  for (; j + kWide <= d; j += kWide) {
    Vec<Real> part[4];
    for (int v = 0; v < 4; ++v)
      part[v] = start ? load(start + j + v * kLanes<Real>) : Vec<Real>(Real(0));
    for (Index k = 0; k < n; ++k) {
      const Vec<Real> f = factor(k);
      const Real* x = row(k) + j;
      for (int v = 0; v < 4; ++v) part[v] = fma(f, load(x + v * kLanes<Real>), part[v]);
    }
    for (int v = 0; v < 4; ++v) store(sum + j + v * kLanes<Real>, part[v]);
  }
  for_lanes<Real>(d - j, [&](Index l, auto lanes) {
    Vec<Real> part = start ? lanes.load(start + j + l) : Vec<Real>(Real(0));
    for (Index k = 0; k < n; ++k)
      part = fma(Vec<Real>(factor(k)), lanes.load(row(k) + j + l), part);
    lanes.store(sum + j + l, part);
  });
}

void check_values(const char* kernel, const Shape& values, const SparseRows& rows) {
  ATTUNE_CHECK(values == Shape({rows.n_entries()}), ShapeError,
               "[{}] values {} must be one number for each of the {} indices", kernel,
               values.text(), rows.n_entries());
}

template <class Real>
void check_product(const char* kernel, View<const Real> y, const Shape& weight,
                   const SparseRows& rows) {
  ATTUNE_CHECK(
      weight.rank() == 2 && y.shape() == Shape({rows.n_rows(), weight[0]}), ShapeError,
      "[{}] outputs {}, {} sparse rows and weight {} don't fit: they must be [n, d_out], n "
      "and [d_out, d_in]",
      kernel, y.shape().text(), rows.n_rows(), weight.text());
  check_sparse(kernel, rows, weight[1]);
}

// f(e, draw) for each entry, draw the 16 bits that decide about its element.
template <class F>
void for_draws(const char* kernel, const DropoutOptions& options, const SparseRows& rows,
               View<const std::int32_t> example, View<const std::int32_t> token, F f) {
  const Index n = rows.n_rows();
  check_shape(kernel, "example", example, {n}, "the rows");
  check_shape(kernel, "token", token, {n}, "the rows");
  parallel_ranges(kernel, n, kRowsPerBlock, 3.0 * static_cast<double>(rows.n_entries()),
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      const auto row = static_cast<std::uint32_t>(token[i]);
                      const auto of = static_cast<std::uint32_t>(example[i]);
                      for (Index e = rows.indptr[i]; e < rows.indptr[i + 1]; e += kPhiloxLanes) {
                        const Index count = std::min<Index>(kPhiloxLanes, rows.indptr[i + 1] - e);
                        Words column{};
                        for (Index l = 0; l < count; ++l)
                          column[l] = static_cast<std::uint64_t>(rows.indices[e + l]);
                        // As DropoutDraws lays out the columns of a row.
                        const Words b = column / 16 % 4;
                        const PhiloxWords w =
                            philox_lanes(column / 64 * 8 + column % 16 / 2, Words{} + row,
                                         Words{} + of, Words{} + options.step, options.stream_key);
                        const Words draw =
                            ((b < 2 ? w.w01 : w.w23) >> (column % 2 * 32 + b % 2 * 16)) &
                            (Words{} + 0xFFFFU);
                        for (Index l = 0; l < count; ++l) f(e + l, draw[l]);
                      }
                    }
                  });
}

}  // namespace

void check_sparse(const char* kernel, const SparseRows& rows, Index n_columns) {
  const Index n = rows.n_rows(), m = rows.n_entries();
  ATTUNE_CHECK(rows.indptr && rows.indptr.rank() == 1 && rows.indptr[0] == 0 && rows.indptr[n] == m,
               ShapeError, "[{}] indptr {} must begin at 0 and end at the {} indices", kernel,
               rows.indptr.shape().text(), m);
  for (Index i = 0; i < n; ++i)
    ATTUNE_CHECK(rows.indptr[i] <= rows.indptr[i + 1] && rows.indptr[i + 1] <= m, ShapeError,
                 "[{}] indptr[{}] = {} follows {}: it must never fall, nor pass its end {}", kernel,
                 i + 1, rows.indptr[i + 1], rows.indptr[i], m);
  for (Index e = 0; e < m; ++e)
    ATTUNE_CHECK(rows.indices[e] >= 0 && rows.indices[e] < n_columns, ShapeError,
                 "[{}] indices[{}] = {} is outside 0 … {}", kernel, e, rows.indices[e],
                 n_columns - 1);
}

void by_column(const SparseRows& rows, View<std::int32_t> indptr, View<std::int32_t> entries,
               View<std::int32_t> row_of) {
  const Index n_columns = indptr.size() - 1;
  std::fill(indptr.begin(), indptr.end(), 0);
  for (const std::int32_t column : rows.indices) ++indptr[column + 1];
  for (Index c = 0; c < n_columns; ++c) indptr[c + 1] += indptr[c];
  Scratch scratch;
  const auto next = scratch.view<std::int32_t>({n_columns});
  std::copy_n(indptr.data(), n_columns, next.data());
  for (Index i = 0; i < rows.n_rows(); ++i) {
    for (Index e = rows.indptr[i]; e < rows.indptr[i + 1]; ++e) {
      const Index place = next[rows.indices[e]]++;
      entries[place] = static_cast<std::int32_t>(e);
      row_of[place] = static_cast<std::int32_t>(i);
    }
  }
}

template <class Real>
void sparse_linear(View<const Real> values, const SparseRows& rows, View<const Real> weight,
                   View<const Real> bias, View<Real> y) {
  check_product<Real>("sparse_linear", y, weight.shape(), rows);
  check_values("sparse_linear", values.shape(), rows);
  const Index d = weight.dim(0);
  ATTUNE_CHECK(!bias || bias.size() == d, ShapeError,
               "[sparse_linear] bias {} must hold one value a row of weight {}",
               bias.shape().text(), weight.shape().text());
  Scratch scratch;
  const View<const Real> columns = transposed("sparse_linear", weight, scratch);
  parallel_ranges("sparse_linear", rows.n_rows(), kRowsPerBlock,
                  0.15 * static_cast<double>(rows.n_entries() * d), [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      const Index first = rows.indptr[i];
                      add_rows<Real>(
                          d, bias.data(), rows.indptr[i + 1] - first,
                          [&](Index k) { return values[first + k]; },
                          [&](Index k) { return columns.row(rows.indices[first + k]); }, y.row(i));
                    }
                  });
}

template <class Real>
void sparse_linear_backward_weight(View<const Real> dy, View<const Real> values,
                                   const SparseRows& rows, View<Real> dweight) {
  check_product<Real>("sparse_linear_backward_weight", dy, dweight.shape(), rows);
  check_values("sparse_linear_backward_weight", values.shape(), rows);
  const Index d = dweight.dim(0), d_in = dweight.dim(1), m = rows.n_entries();
  Scratch scratch;
  const auto indptr = scratch.view<std::int32_t>({d_in + 1});
  const auto entries = scratch.view<std::int32_t>({m}), row_of = scratch.view<std::int32_t>({m});
  by_column(rows, indptr, entries, row_of);
  const auto sums = scratch.view<Real>({d_in, d});
  parallel_ranges("sparse_linear_backward_weight", d_in, kRowsPerBlock,
                  0.15 * static_cast<double>(m * d), [&](Index begin, Index end) {
                    for (Index c = begin; c < end; ++c) {
                      const Index first = indptr[c];
                      add_rows<Real>(
                          d, nullptr, indptr[c + 1] - first,
                          [&](Index k) { return values[entries[first + k]]; },
                          [&](Index k) { return dy.row(row_of[first + k]); }, sums.row(c));
                    }
                  });
  transpose_into("sparse_linear_backward_weight", View<const Real>(sums), dweight,
                 [](Real& to, Real from) { to += from; });
}

template <class Real>
void sparse_linear_backward_values(View<const Real> dy, const SparseRows& rows,
                                   View<const Real> weight, View<Real> dvalues) {
  check_product<Real>("sparse_linear_backward_values", dy, weight.shape(), rows);
  check_values("sparse_linear_backward_values", dvalues.shape(), rows);
  const Index d = weight.dim(0);
  Scratch scratch;
  const View<const Real> columns = transposed("sparse_linear_backward_values", weight, scratch);
  parallel_ranges("sparse_linear_backward_values", rows.n_rows(), kRowsPerBlock,
                  0.3 * static_cast<double>(rows.n_entries() * d), [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      for (Index e = rows.indptr[i]; e < rows.indptr[i + 1]; ++e) {
                        const Real* column = columns.row(rows.indices[e]);
                        Vec<Real> product(Real(0));
                        for_lanes<Real>(d, [&](Index j, auto lanes) {
                          product = fma(lanes.load(dy.row(i) + j), lanes.load(column + j), product);
                        });
                        dvalues[e] += sum(product);
                      }
                    }
                  });
}

template <class Real>
void sparse_dropout(const DropoutOptions& options, const SparseRows& rows,
                    View<const std::int32_t> example, View<const std::int32_t> token,
                    View<const Real> values, View<Real> y) {
  check_values("sparse_dropout", values.shape(), rows);
  check_values("sparse_dropout", y.shape(), rows);
  const std::uint32_t threshold = options.threshold();
  if (threshold == 0) {
    std::copy(values.begin(), values.end(), y.begin());
    return;
  }
  const Real keep = static_cast<Real>(options.keep_scale());
  for_draws("sparse_dropout", options, rows, example, token, [&](Index e, std::uint64_t draw) {
    y[e] = draw >= threshold ? values[e] * keep : Real(0);
  });
}

template <class Real>
void sparse_dropout_backward(const DropoutOptions& options, const SparseRows& rows,
                             View<const std::int32_t> example, View<const std::int32_t> token,
                             View<const Real> dy, View<Real> dvalues) {
  if (!dvalues) return;
  check_values("sparse_dropout_backward", dy.shape(), rows);
  check_values("sparse_dropout_backward", dvalues.shape(), rows);
  const std::uint32_t threshold = options.threshold();
  if (threshold == 0) return accumulate(dy, dvalues);
  const Real keep = static_cast<Real>(options.keep_scale());
  for_draws("sparse_dropout_backward", options, rows, example, token,
            [&](Index e, std::uint64_t draw) {
              if (draw >= threshold) dvalues[e] = std::fma(dy[e], keep, dvalues[e]);
            });
}

template void sparse_linear(View<const float>, const SparseRows&, View<const float>,
                            View<const float>, View<float>);
template void sparse_linear_backward_weight(View<const float>, View<const float>, const SparseRows&,
                                            View<float>);
template void sparse_linear_backward_values(View<const float>, const SparseRows&, View<const float>,
                                            View<float>);
template void sparse_dropout(const DropoutOptions&, const SparseRows&, View<const std::int32_t>,
                             View<const std::int32_t>, View<const float>, View<float>);
template void sparse_dropout_backward(const DropoutOptions&, const SparseRows&,
                                      View<const std::int32_t>, View<const std::int32_t>,
                                      View<const float>, View<float>);
template void sparse_linear(View<const double>, const SparseRows&, View<const double>,
                            View<const double>, View<double>);
template void sparse_linear_backward_weight(View<const double>, View<const double>,
                                            const SparseRows&, View<double>);
template void sparse_linear_backward_values(View<const double>, const SparseRows&,
                                            View<const double>, View<double>);
template void sparse_dropout(const DropoutOptions&, const SparseRows&, View<const std::int32_t>,
                             View<const std::int32_t>, View<const double>, View<double>);
template void sparse_dropout_backward(const DropoutOptions&, const SparseRows&,
                                      View<const std::int32_t>, View<const std::int32_t>,
                                      View<const double>, View<double>);

}  // namespace attune::kernels
