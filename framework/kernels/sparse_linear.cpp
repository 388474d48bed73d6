#include "kernels/sparse_linear.h"

#include <algorithm>

#include "kernels/gather_rows.h"
#include "kernels/parallel.h"
#include "kernels/sparse_rows.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// y [columns, rows] = x [rows, columns] transposed, or added to what stands there; strides in
// elements.
template <bool kAdd, class Real>
void transpose(const Real* x, Index rows, Index columns, Index x_stride, Real* y, Index y_stride) {
  constexpr Index kN = kLanes<Real>;
  for (Index i = 0; i < rows; i += kN) {
    const Index n_rows = std::min(kN, rows - i);
    for (Index j = 0; j < columns; j += kN) {
      const Index n_columns = std::min(kN, columns - j);
      Vec<Real> square[kLanes<Real>];
#pragma GCC unroll 16
      for (Index r = 0; r < kN; ++r) {
        square[r] = r < n_rows ? load_n(x + (i + r) * x_stride + j, n_columns) : Vec<Real>(Real(0));
      }
      kernels::transpose(square);
#pragma GCC unroll 16
      for (Index c = 0; c < kN; ++c) {
        if (c >= n_columns) continue;
        Real* to = y + (j + c) * y_stride + i;
        store_n(to, n_rows, kAdd ? load_n(to, n_rows) + square[c] : square[c]);
      }
    }
  }
}

constexpr Index kColumnsPerBlock = 4 * kLanes<float>;

template <class Real>
View<Real> transposed(View<const Real> weight, Scratch& scratch) {
  const Index d_out = weight.dim(0), d_in = weight.dim(1);
  const auto columns = scratch.view<Real>({d_in, d_out});
  parallel_ranges("sparse_transpose", d_in, kColumnsPerBlock,
                  0.3 * static_cast<double>(weight.size()), [&](Index begin, Index end) {
                    transpose<false>(weight.data() + begin, d_out, end - begin, d_in,
                                     columns.data() + begin * d_out, d_out);
                  });
  return columns;
}

template <class Real>
void check(const char* kernel, const SparseRows& rows, View<const Real> y, View<const Real> values,
           View<const Real> weight) {
  check_rank(kernel, "y or its gradient", y, 2);
  check_rank(kernel, "weight", weight, 2);
  check_sparse_rows(kernel, rows, y.dim(0), weight.dim(1));
  check_shape(kernel, "values", values, {rows.n_entries()}, "indices");
  check_shape(kernel, "y or its gradient", y, {y.dim(0), weight.dim(0)}, "weight");
}

// The entries of a row that are not 0: dropout makes zeros of many.
template <class Real>
class NonZeros {
 public:
  // Of rows of at most `most` entries.
  NonZeros(Index most, Scratch& scratch)
      : place_room_(scratch.allocate<std::int32_t>(most + kLanes<float>)),
        value_room_(scratch.allocate<Real>(most + kLanes<Real>)) {}

  // Of n entries; gives how many are left.
  Index find(Index n, const std::int32_t* places, const Real* values) {
    const auto zeros = [&](Index t, auto lanes) {
      return lane_bits((lanes.load(values + t) == Vec<Real>(Real(0))) & first_lanes<Real>(n - t));
    };
    places_ = places;
    values_ = values;
    unsigned any = 0;
    for_lanes<Real>(n, [&](Index t, auto lanes) { any |= zeros(t, lanes); });
    if (any == 0) return n;
    Index found = 0;
    for_lanes<Real>(n, [&](Index t, auto lanes) {
      const Index some = std::min<Index>(n - t, kLanes<Real>);
      const unsigned bits = ~zeros(t, lanes) & ((1U << some) - 1);
      pack_lanes(values + t, some, bits, value_room_ + found);
      pack_lanes(places + t, some, bits, place_room_ + found);
      found += __builtin_popcount(bits);
    });
    places_ = place_room_;
    values_ = value_room_;
    return found;
  }
  Index place(Index t) const { return places_[t]; }
  SameWeight<Real> operator()(Index t) const { return {values_[t]}; }

 private:
  std::int32_t* place_room_;
  Real* value_room_;
  const std::int32_t* places_ = nullptr;
  const Real* values_ = nullptr;
};
// Of the rows [begin, end) that indptr bounds, the most entries.
Index widest(const std::int32_t* indptr, Index begin, Index end) {
  Index most = 0;
  for (Index i = begin; i < end; ++i) most = std::max<Index>(most, indptr[i + 1] - indptr[i]);
  return most;
}

template <class Real>
View<const Real> read(View<Real> v) {
  return v;
}

// The time of d_out columns of each entry and row, in ns.
double cost(const SparseRows& rows, Index d_out) {
  return 0.15 * static_cast<double>((rows.n_entries() + rows.n_rows()) * d_out);
}

}  // namespace

template <class Real>
void sparse_linear(const SparseRows& rows, View<const Real> values, View<const Real> weight,
                   View<const Real> bias, View<Real> y) {
  const char* const kernel = "sparse_linear";
  check(kernel, rows, read(y), values, weight);
  const Index d = weight.dim(0);
  if (bias) check_shape(kernel, "bias", bias, {d}, "weight's rows");
  Scratch scratch;
  const Real* columns = transposed(weight, scratch).data();
  parallel_ranges(kernel, y.dim(0), kRowsPerBlock, cost(rows, d), [&](Index begin, Index end) {
    Scratch local;
    NonZeros<Real> entries(widest(rows.indptr.data(), begin, end), local);
    for (Index i = begin; i < end; ++i) {
      const Index first = rows.indptr[i];
      const Index n = entries.find(rows.indptr[i + 1] - first, rows.indices.data() + first,
                                   values.data() + first);
      weighted_rows<Real>(
          n, [&](Index e) { return columns + entries.place(e) * d; }, entries, d,
          FromRow<Real>{bias ? bias.data() : nullptr}, y.data() + i * d);
    }
  });
}

template <class Real>
void sparse_linear_backward(const SparseRows& rows, View<const Real> dy, View<const Real> values,
                            View<const Real> weight, View<Real> dvalues, View<Real> dweight) {
  const char* const kernel = "sparse_linear_backward";
  check(kernel, rows, dy, values, weight);
  const Index d = weight.dim(0), d_in = weight.dim(1);
  Scratch scratch;
  if (dvalues) {
    check_shape(kernel, "dvalues", dvalues, values.shape(), "values");
    const Real* columns = transposed(weight, scratch).data();
    parallel_ranges("sparse_linear_values", dy.dim(0), kRowsPerBlock, cost(rows, d),
                    [&](Index begin, Index end) {
                      for (Index i = begin; i < end; ++i) {
                        const Real* upstream = dy.data() + i * d;
                        for (Index e = rows.indptr[i]; e < rows.indptr[i + 1]; ++e) {
                          const Real* column = columns + rows.indices[e] * d;
                          Vec<Real> products = Real(0);
                          for_lanes<Real>(d, [&](Index j, auto lanes) {
                            products =
                                fma(lanes.load(upstream + j), lanes.load(column + j), products);
                          });
                          dvalues[e] += sum(products);
                        }
                      }
                    });
  }
  if (!dweight) return;
  check_shape(kernel, "dweight", dweight, weight.shape(), "weight");
  const EntriesByColumn by = by_column(rows, d_in);
  parallel_ranges("sparse_linear_weight", d_in, kColumnsPerBlock, cost(rows, d),
                  [&](Index begin, Index end) {
                    Scratch local;
                    const auto sums = local.view<Real>({end - begin, d});
                    const Index most = widest(by.start.data(), begin, end);
                    NonZeros<Real> entries(most, local);
                    Real* const of_column = local.allocate<Real>(most);
                    for_rows_by_length(by.start.data(), begin, end, [&](Index c) {
                      const Index first = by.start[c];
                      const Index all = by.start[c + 1] - first;
                      for (Index t = 0; t < all; ++t) of_column[t] = values[by.entry[first + t]];
                      const Index n = entries.find(all, by.row.data() + first, of_column);
                      weighted_rows<Real>(
                          n, [&](Index t) { return dy.data() + entries.place(t) * d; }, entries, d,
                          FromZeros<Real>{}, sums.data() + (c - begin) * d);
                    });
                    transpose<true>(sums.data(), end - begin, d, d, dweight.data() + begin, d_in);
                  });
}

template void sparse_linear(const SparseRows&, View<const float>, View<const float>,
                            View<const float>, View<float>);
template void sparse_linear_backward(const SparseRows&, View<const float>, View<const float>,
                                     View<const float>, View<float>, View<float>);
template void sparse_linear(const SparseRows&, View<const double>, View<const double>,
                            View<const double>, View<double>);
template void sparse_linear_backward(const SparseRows&, View<const double>, View<const double>,
                                     View<const double>, View<double>, View<double>);

}  // namespace attune::kernels
