#include <algorithm>

#include "kernels/dropout_cells.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/pointwise.h"
#include "kernels/sparse_linear.h"
#include "kernels/sparse_rows.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kMostColumns = Index{8} << 20;  // that a draw's counter has room for

// f(e, lanes, kept) for vectors of entries, e the first one's number.
template <class Real, class F>
void for_draws(const char* kernel, const DropoutOptions& options, const SparseRows& rows,
               View<const std::int32_t> example, View<const std::int32_t> token, F f) {
  const Index n = rows.n_rows();
  check_shape(kernel, "example", example, {n}, "the rows");
  check_shape(kernel, "token", token, {n}, "the rows");
  const std::uint32_t threshold = options.threshold();
  parallel_ranges(kernel, n, kRowsPerBlock, 3.0 * static_cast<double>(rows.n_entries()),
                  [&](Index begin, Index end) {
                    const Index start = rows.indptr[begin], n_entries = rows.indptr[end] - start;
                    const PhiloxKeys keys(options.stream_key);
                    // The row and example of each entry, with room behind them, because draws go
                    // by whole vectors.
                    Scratch scratch;
                    const Index room = whole_draws(n_entries);
                    auto* draws = scratch.allocate<std::uint32_t>(room);
                    auto *columns = scratch.allocate<std::int32_t>(room),
                         *row = scratch.allocate<std::int32_t>(room),
                         *of_example = scratch.allocate<std::int32_t>(room);
                    std::copy_n(rows.indices.data() + start, n_entries, columns);
                    for (Index i = begin; i < end; ++i) {
                      const Index first = rows.indptr[i] - start,
                                  m = rows.indptr[i + 1] - start - first;
                      std::fill_n(row + first, m, token[i]);
                      std::fill_n(of_example + first, m, example[i]);
                    }
                    for (auto* numbers : {columns, row, of_example}) {
                      std::fill_n(numbers + n_entries, room - n_entries, 0);
                    }
                    dropout_cells(
                        keys, options.step,
                        [&](Index t) {
                          return DropoutCells{Words{}, words_of(row + t), words_of(columns + t),
                                              words_of(of_example + t)};
                        },
                        n_entries, draws);
                    for_lanes<Real>(n_entries, [&](Index t, auto lanes) {
                      f(start + t, lanes, kept_draws<Real>(draws + t, threshold));
                    });
                  });
}

void check(const char* kernel, const SparseRows& rows) {
  check_sparse_rows(kernel, rows, rows.n_rows(), kMostColumns);
}

}  // namespace

template <class Real>
void sparse_dropout(const DropoutOptions& options, const SparseRows& rows,
                    View<const std::int32_t> example, View<const std::int32_t> token,
                    View<const Real> values, View<Real> y) {
  const char* const kernel = "sparse_dropout";
  check(kernel, rows);
  check_shape(kernel, "values", values, {rows.n_entries()}, "indices");
  check_shape(kernel, "y", y, values.shape(), "values");
  if (options.threshold() == 0) {
    std::copy(values.begin(), values.end(), y.begin());
    return;
  }
  const Vec<Real> keep = static_cast<Real>(options.keep_scale());
  for_draws<Real>(kernel, options, rows, example, token, [&](Index e, auto lanes, Mask<Real> kept) {
    const Vec<Real> scaled = lanes.load(values.data() + e) * keep;
    lanes.store(y.data() + e, select(kept, scaled, Vec<Real>(0)));
  });
}

template <class Real>
void sparse_dropout_backward(const DropoutOptions& options, const SparseRows& rows,
                             View<const std::int32_t> example, View<const std::int32_t> token,
                             View<const Real> dy, View<Real> dvalues) {
  if (!dvalues) return;
  const char* const kernel = "sparse_dropout_backward";
  check(kernel, rows);
  check_shape(kernel, "dy", dy, {rows.n_entries()}, "indices");
  check_shape(kernel, "dvalues", dvalues, dy.shape(), "dy");
  if (options.threshold() == 0) return accumulate(dy, dvalues);
  const Vec<Real> keep = static_cast<Real>(options.keep_scale());
  for_draws<Real>(kernel, options, rows, example, token, [&](Index e, auto lanes, Mask<Real> kept) {
    const Vec<Real> old = lanes.load(dvalues.data() + e);
    lanes.store(dvalues.data() + e, select(kept, fma(lanes.load(dy.data() + e), keep, old), old));
  });
}

template void sparse_dropout(const DropoutOptions&, const SparseRows&, View<const std::int32_t>,
                             View<const std::int32_t>, View<const float>, View<float>);
template void sparse_dropout_backward(const DropoutOptions&, const SparseRows&,
                                      View<const std::int32_t>, View<const std::int32_t>,
                                      View<const float>, View<float>);
template void sparse_dropout(const DropoutOptions&, const SparseRows&, View<const std::int32_t>,
                             View<const std::int32_t>, View<const double>, View<double>);
template void sparse_dropout_backward(const DropoutOptions&, const SparseRows&,
                                      View<const std::int32_t>, View<const std::int32_t>,
                                      View<const double>, View<double>);

}  // namespace attune::kernels
