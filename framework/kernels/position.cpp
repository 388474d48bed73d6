#include "kernels/position.h"

#include <algorithm>
#include <cmath>

#include "kernels/embedding.h"
#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/packed_rows.h"
#include "kernels/parallel.h"
#include "kernels/pointwise.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// A place in a table: between rows `low` and `high`, `fraction` of the way.
template <class Real>
struct Place {
  std::int32_t low, high;
  Real fraction;
};

// Index i of `size` in a table of `table_rows` ≥ 1 rows.
template <class Real>
Place<Real> place(Index i, Index size, Index table_rows, GridReading reading = GridReading::index) {
  if (reading == GridReading::fraction) {
    const Index scaled = (2 * i + 1) * (table_rows - 1), low = scaled / (2 * size);
    return {static_cast<std::int32_t>(low),
            static_cast<std::int32_t>(std::min(low + 1, table_rows - 1)),
            static_cast<Real>(scaled % (2 * size)) / static_cast<Real>(2 * size)};
  }
  if (size <= table_rows) {
    const auto row = static_cast<std::int32_t>(i);
    return {row, row, Real(0)};
  }
  const Index scaled = i * (table_rows - 1), low = scaled / (size - 1);
  return {static_cast<std::int32_t>(low),
          static_cast<std::int32_t>(std::min(low + 1, table_rows - 1)),
          static_cast<Real>(scaled % (size - 1)) / static_cast<Real>(size - 1)};
}

template <class Real, class Lanes>
Vec<Real> read(const Real* table, Index d, const Place<Real>& at, Index j, Lanes lanes) {
  const Vec<Real> low = lanes.load(table + at.low * d + j);
  if (at.fraction == Real(0)) return low;
  return fma(Vec<Real>(at.fraction), lanes.load(table + at.high * d + j) - low, low);
}

// The terms of `read`'s backward for row `from`; returns how many.
template <class Real>
Index write_terms(const Place<Real>& at, Index from, ScatterTerm<Real>* terms) {
  const auto row = static_cast<std::int32_t>(from);
  terms[0] = {at.low, row, Real(1) - at.fraction};
  if (at.fraction == Real(0)) return 1;
  terms[1] = {at.high, row, at.fraction};
  return 2;
}

template <class T>
void check_table(const char* kernel, const char* name, View<T> table, Index d) {
  check_rank(kernel, name, table, 2);
  ATTUNE_CHECK(table.dim(0) > 0, ShapeError, "[{}] {} is {}: it needs a row at least.", kernel,
               name, table.shape().text());
  check_shape(kernel, name, table, {table.dim(0), d}, "the columns of the tokens");
}

void check_grid(const char* kernel, View<const std::int32_t> offsets, View<const std::int32_t> grid,
                Index leading, Index n) {
  check_offsets(kernel, offsets, n);
  const Index n_examples = offsets.dim(0) - 1;
  check_shape(kernel, "grid", grid, {n_examples, 2}, "offsets");
  for (Index e = 0; e < n_examples; ++e) {
    const Index rows = grid(e, 0), columns = grid(e, 1), has = offsets[e + 1] - offsets[e];
    ATTUNE_CHECK(rows >= 0 && columns >= 0 && has == leading + rows * columns, ShapeError,
                 "[{}] example {} has {} rows, but a grid of {} x {} and {} leading rows make {}.",
                 kernel, e, has, rows, columns, leading, leading + rows * columns);
  }
}

// dtable += what every token adds to it; terms_of(example, index, row, terms) writes at most two
// terms.
template <class Real, class F>
void add_to_table(const char* kernel, View<const Real> dy, View<const std::int32_t> offsets,
                  View<Real> dtable, F terms_of) {
  Scratch scratch;
  auto* terms = scratch.allocate<ScatterTerm<Real>>(2 * dy.dim(0));
  Index n_terms = 0;
  for_each_row(offsets, 0, dy.dim(0), [&](Index e, Index index, Index row) {
    n_terms += terms_of(e, index, row, terms + n_terms);
  });
  scatter_add(kernel, View<const ScatterTerm<Real>>(terms, {n_terms}), dy, dtable);
}

}  // namespace

template <class Real>
void add_grid_positions(View<const Real> x, View<const std::int32_t> offsets,
                        View<const std::int32_t> grid, Index leading, View<const Real> row_table,
                        View<const Real> column_table, View<Real> y, GridReading reading) {
  const char* const kernel = "grid_positions";
  check_rank(kernel, "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_grid(kernel, offsets, grid, leading, n);
  check_table(kernel, "row_table", row_table, d);
  check_table(kernel, "column_table", column_table, d);
  check_shape(kernel, "y", y, x.shape(), "x");
  parallel_ranges(
      kernel, n, kRowsPerBlock, static_cast<double>(n * d) * 0.6, [&](Index begin, Index end) {
        for_each_row(offsets, begin, end, [&](Index e, Index index, Index token) {
          const Real* from = x.data() + token * d;
          Real* to = y.data() + token * d;
          if (index < leading) {
            std::copy(from, from + d, to);
            return;
          }
          const Index rows = grid(e, 0), columns = grid(e, 1), cell = index - leading;
          const auto row = place<Real>(cell / columns, rows, row_table.dim(0), reading);
          const auto column = place<Real>(cell % columns, columns, column_table.dim(0), reading);
          for_lanes<Real>(d, [&](Index j, auto lanes) {
            lanes.store(to + j, (lanes.load(from + j) + read(row_table.data(), d, row, j, lanes)) +
                                    read(column_table.data(), d, column, j, lanes));
          });
        });
      });
}

template <class Real>
void add_grid_positions_backward(View<const Real> dy, View<const std::int32_t> offsets,
                                 View<const std::int32_t> grid, Index leading, View<Real> dx,
                                 View<Real> drow_table, View<Real> dcolumn_table,
                                 GridReading reading) {
  const char* const kernel = "grid_positions_backward";
  check_rank(kernel, "dy", dy, 2);
  check_grid(kernel, offsets, grid, leading, dy.dim(0));
  if (dx) accumulate(dy, dx);
  // axis 0: the cell's row among grid rows; axis 1: its column.
  const auto add_axis = [&](View<Real> dtable, int axis) {
    add_to_table(kernel, dy, offsets, dtable,
                 [&](Index e, Index index, Index token, ScatterTerm<Real>* terms) -> Index {
                   if (index < leading) return 0;
                   const Index columns = grid(e, 1), cell = index - leading;
                   const Index i = axis == 0 ? cell / columns : cell % columns;
                   return write_terms(place<Real>(i, grid(e, axis), dtable.dim(0), reading), token,
                                      terms);
                 });
  };
  if (drow_table) {
    check_table(kernel, "drow_table", drow_table, dy.dim(1));
    add_axis(drow_table, 0);
  }
  if (dcolumn_table) {
    check_table(kernel, "dcolumn_table", dcolumn_table, dy.dim(1));
    add_axis(dcolumn_table, 1);
  }
}

template <class Real>
void add_sequence_positions(View<const Real> x, View<const std::int32_t> offsets,
                            View<const Real> table, View<Real> y) {
  const char* const kernel = "sequence_positions";
  check_rank(kernel, "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_offsets(kernel, offsets, n);
  check_table(kernel, "table", table, d);
  check_shape(kernel, "y", y, x.shape(), "x");
  parallel_ranges(
      kernel, n, kRowsPerBlock, static_cast<double>(n * d) * 0.4, [&](Index begin, Index end) {
        for_each_row(offsets, begin, end, [&](Index e, Index index, Index token) {
          const auto at = place<Real>(index, offsets[e + 1] - offsets[e], table.dim(0));
          for_lanes<Real>(d, [&](Index j, auto lanes) {
            lanes.store(y.data() + token * d + j,
                        lanes.load(x.data() + token * d + j) + read(table.data(), d, at, j, lanes));
          });
        });
      });
}

template <class Real>
void add_sequence_positions_backward(View<const Real> dy, View<const std::int32_t> offsets,
                                     View<Real> dx, View<Real> dtable) {
  const char* const kernel = "sequence_positions_backward";
  check_rank(kernel, "dy", dy, 2);
  check_offsets(kernel, offsets, dy.dim(0));
  if (dx) accumulate(dy, dx);
  if (!dtable) return;
  check_table(kernel, "dtable", dtable, dy.dim(1));
  add_to_table(kernel, dy, offsets, dtable,
               [&](Index e, Index index, Index token, ScatterTerm<Real>* terms) {
                 const Index size = offsets[e + 1] - offsets[e];
                 return write_terms(place<Real>(index, size, dtable.dim(0)), token, terms);
               });
}

template <class Real>
void add_sinusoids(View<const Real> x, View<const std::int32_t> offsets, Index period,
                   View<Real> y) {
  const char* const kernel = "sinusoids";
  check_rank(kernel, "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_offsets(kernel, offsets, n);
  check_shape(kernel, "y", y, x.shape(), "x");
  Index places = 0;
  for (Index e = 0; e + 1 < offsets.size(); ++e)
    places = std::max<Index>(places, offsets[e + 1] - offsets[e]);
  if (period > 0) places = std::min(places, period);
  Scratch scratch;
  const Index pairs = (d + 1) / 2;
  double* const frequencies = scratch.allocate<double>(pairs);
  for (Index t = 0; t < pairs; ++t)
    frequencies[t] = exp(-std::log(10000.0) * static_cast<double>(2 * t) / static_cast<double>(d));
  const View<Real> table = scratch.view<Real>({places, d});
  // In double: a place in the thousands times a frequency keeps its digits.
  parallel_ranges(kernel, places, 16, static_cast<double>(places * d) * 3,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      for_lanes<double>(pairs, [&](Index t, auto lanes) {
                        const Vec<double> angle =
                            lanes.load(frequencies + t) * Vec<double>(static_cast<double>(i));
                        const Vec<double> s = sin(angle), c = cos(angle);
                        const Index in_vector = std::min<Index>(kLanes<double>, pairs - t);
                        for (Index l = 0; l < in_vector; ++l) {
                          const Index column = 2 * (t + l);
                          table(i, column) = static_cast<Real>(s[static_cast<int>(l)]);
                          if (column + 1 < d)
                            table(i, column + 1) = static_cast<Real>(c[static_cast<int>(l)]);
                        }
                      });
                    }
                  });
  parallel_ranges(
      kernel, n, kRowsPerBlock, static_cast<double>(n * d) * 0.3, [&](Index begin, Index end) {
        for_each_row(offsets, begin, end, [&](Index, Index index, Index token) {
          const Real* const from = table.row(period > 0 ? index % period : index);
          for_lanes<Real>(d, [&](Index j, auto lanes) {
            lanes.store(y.row(token) + j, lanes.load(x.row(token) + j) + lanes.load(from + j));
          });
        });
      });
}

template void add_sinusoids(View<const float>, View<const std::int32_t>, Index, View<float>);
template void add_sinusoids(View<const double>, View<const std::int32_t>, Index, View<double>);
template void add_grid_positions(View<const float>, View<const std::int32_t>,
                                 View<const std::int32_t>, Index, View<const float>,
                                 View<const float>, View<float>, GridReading);
template void add_grid_positions_backward(View<const float>, View<const std::int32_t>,
                                          View<const std::int32_t>, Index, View<float>, View<float>,
                                          View<float>, GridReading);
template void add_sequence_positions(View<const float>, View<const std::int32_t>, View<const float>,
                                     View<float>);
template void add_sequence_positions_backward(View<const float>, View<const std::int32_t>,
                                              View<float>, View<float>);
template void add_grid_positions(View<const double>, View<const std::int32_t>,
                                 View<const std::int32_t>, Index, View<const double>,
                                 View<const double>, View<double>, GridReading);
template void add_grid_positions_backward(View<const double>, View<const std::int32_t>,
                                          View<const std::int32_t>, Index, View<double>,
                                          View<double>, View<double>, GridReading);
template void add_sequence_positions(View<const double>, View<const std::int32_t>,
                                     View<const double>, View<double>);
template void add_sequence_positions_backward(View<const double>, View<const std::int32_t>,
                                              View<double>, View<double>);

}  // namespace attune::kernels
