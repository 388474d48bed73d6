#include "kernels/embedding.h"

#include <algorithm>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

void check_ids(const char* kernel, View<const std::int32_t> ids, Index vocabulary) {
  check_rank(kernel, "ids", ids, 1);
  for (Index i = 0; i < ids.dim(0); ++i) {
    ATTUNE_CHECK(ids[i] >= 0 && ids[i] < vocabulary, ShapeError,
                 "[{}] ids[{}] is {}, but the table has rows 0 … {}.", kernel, i, ids[i],
                 vocabulary - 1);
  }
}

}  // namespace

template <class Real>
void embedding(View<const Real> table, View<const std::int32_t> ids, View<Real> y) {
  check_rank("embedding", "table", table, 2);
  check_ids("embedding", ids, table.dim(0));
  const Index n = ids.dim(0), d = table.dim(1);
  check_shape("embedding", "y", y, {n, d}, "ids and table");
  parallel_ranges("embedding", n, kRowsPerBlock, static_cast<double>(n * d) * 0.3,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      const Real* row = table.data() + ids[i] * d;
                      std::copy(row, row + d, y.data() + i * d);
                    }
                  });
}

template <class Real>
void embedding_backward(View<const Real> dy, View<const std::int32_t> ids, View<Real> dtable) {
  if (!dtable) return;
  check_rank("embedding_backward", "dtable", dtable, 2);
  check_ids("embedding_backward", ids, dtable.dim(0));
  const Index n = ids.dim(0);
  check_shape("embedding_backward", "dy", dy, {n, dtable.dim(1)}, "ids and dtable");
  Scratch scratch;
  const auto terms = scratch.view<ScatterTerm<Real>>({n});
  for (Index i = 0; i < n; ++i) terms[i] = {ids[i], static_cast<std::int32_t>(i), Real(1)};
  scatter_add<Real>("embedding_backward", terms, dy, dtable);
}

template <class Real>
void scatter_add(const char* kernel, View<const ScatterTerm<Real>> terms, View<const Real> dy,
                 View<Real> dtable) {
  const Index n_rows = dtable.dim(0), n_terms = terms.dim(0), d = dtable.dim(1);
  // A stable counting sort: bounds[r] … bounds[r + 1] are row r's terms in their order.
  Scratch scratch;
  const auto bounds = scratch.view<std::int32_t>({n_rows + 2});
  const auto order = scratch.view<std::int32_t>({n_terms});
  std::fill(bounds.begin(), bounds.end(), 0);
  for (const auto& term : terms) ++bounds[term.to + 2];
  for (Index r = 2; r < n_rows + 2; ++r) bounds[r] += bounds[r - 1];
  for (Index t = 0; t < n_terms; ++t) {
    order[bounds[terms[t].to + 1]++] = static_cast<std::int32_t>(t);
  }
  constexpr Index kTableRows = 16;
  parallel_ranges(kernel, n_rows, kTableRows, static_cast<double>(n_terms * d) * 0.3,
                  [&](Index begin, Index end) {
                    for (Index r = begin; r < end; ++r) {
                      for (Index o = bounds[r]; o < bounds[r + 1]; ++o) {
                        const ScatterTerm<Real>& term = terms[order[o]];
                        const Real* from = dy.data() + term.from * d;
                        Real* to = dtable.data() + r * d;
                        for_lanes<Real>(d, [&](Index j, auto lanes) {
                          lanes.store(to + j, fma(Vec<Real>(term.weight), lanes.load(from + j),
                                                  lanes.load(to + j)));
                        });
                      }
                    }
                  });
}

template void embedding(View<const float>, View<const std::int32_t>, View<float>);
template void embedding_backward(View<const float>, View<const std::int32_t>, View<float>);
template void scatter_add(const char*, View<const ScatterTerm<float>>, View<const float>,
                          View<float>);
template void embedding(View<const double>, View<const std::int32_t>, View<double>);
template void embedding_backward(View<const double>, View<const std::int32_t>, View<double>);
template void scatter_add(const char*, View<const ScatterTerm<double>>, View<const double>,
                          View<double>);

}  // namespace attune::kernels
