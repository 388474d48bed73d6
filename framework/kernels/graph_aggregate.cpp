#include "kernels/graph_aggregate.h"

#include <algorithm>
#include <cmath>

#include "kernels/gather_rows.h"
#include "kernels/parallel.h"
#include "kernels/sparse_rows.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// Every weight is a product, w_e = receiver_i · sender_j.
template <class Real>
struct Factors {
  View<Real> receiver, sender;  // [n]

  Factors(GraphReduce reduce, const PackedEdges& edges, Index n, Scratch& scratch)
      : receiver(scratch.view<Real>({n})), sender(scratch.view<Real>({n})) {
    std::fill(receiver.begin(), receiver.end(), Real(1));
    std::fill(sender.begin(), sender.end(), Real(1));
    if (reduce == GraphReduce::sum) return;
    for (Index i = 0; i < n; ++i) {
      const Index edges_in = edges.indptr[i + 1] - edges.indptr[i];
      const auto degree = static_cast<Real>(edges_in);
      if (reduce == GraphReduce::mean) {
        receiver[i] = edges_in == 0 ? Real(0) : 1 / degree;
      } else {
        receiver[i] = sender[i] = edges_in == 0 ? Real(0) : 1 / std::sqrt(degree);
      }
    }
  }
};

// to_i += outer_i Σ_t inner(index_t) from(index_t) over the places t that start bounds.
template <class Real>
void add_neighbours(const char* kernel, View<const std::int32_t> start, const std::int32_t* index,
                    View<Real> outer, View<Real> inner, View<const Real> from, View<Real> to) {
  const Index n = to.dim(0), d = to.dim(1), n_terms = start[n];
  parallel_ranges(
      kernel, n, kRowsPerBlock, 0.2 * static_cast<double>((n + n_terms) * d),
      [&](Index begin, Index end) {
        Scratch scratch;
        Real* total = scratch.allocate<Real>(d);
        for_rows_by_length(start.data(), begin, end, [&](Index i) {
          const std::int32_t* neighbour = index + start[i];
          weighted_rows<Real>(
              start[i + 1] - start[i], [&](Index t) { return from.data() + neighbour[t] * d; },
              [&](Index t) { return SameWeight<Real>{inner[neighbour[t]]}; }, d, FromZeros<Real>{},
              total);
          for_lanes<Real>(d, [&](Index j, auto lanes) {
            Real* out = to.data() + i * d + j;
            lanes.store(out, fma(Vec<Real>(outer[i]), lanes.load(total + j), lanes.load(out)));
          });
        });
      });
}

}  // namespace

template <class Real>
void graph_aggregate(GraphReduce reduce, const PackedEdges& edges, View<const Real> x,
                     View<Real> y) {
  const char* const kernel = "graph_aggregate";
  check_rank(kernel, "x", x, 2);
  check_shape(kernel, "y", y, x.shape(), "x");
  check_edges(kernel, edges, {}, x.dim(0));
  Scratch scratch;
  const Factors<Real> w(reduce, edges, x.dim(0), scratch);
  std::fill(y.begin(), y.end(), Real(0));
  add_neighbours(kernel, edges.indptr, edges.indices.data(), w.receiver, w.sender, x, y);
}

template <class Real>
void graph_aggregate_backward(GraphReduce reduce, const PackedEdges& edges, View<const Real> dy,
                              View<Real> dx) {
  if (!dx) return;
  const char* const kernel = "graph_aggregate_backward";
  check_rank(kernel, "dy", dy, 2);
  check_shape(kernel, "dx", dx, dy.shape(), "dy");
  check_edges(kernel, edges, {}, dy.dim(0));
  Scratch scratch;
  const Factors<Real> w(reduce, edges, dy.dim(0), scratch);
  const EntriesByColumn from = by_column(edges, dy.dim(0));
  add_neighbours(kernel, from.start, from.row.data(), w.sender, w.receiver, dy, dx);
}

template void graph_aggregate(GraphReduce, const PackedEdges&, View<const float>, View<float>);
template void graph_aggregate_backward(GraphReduce, const PackedEdges&, View<const float>,
                                       View<float>);
template void graph_aggregate(GraphReduce, const PackedEdges&, View<const double>, View<double>);
template void graph_aggregate_backward(GraphReduce, const PackedEdges&, View<const double>,
                                       View<double>);

}  // namespace attune::kernels
