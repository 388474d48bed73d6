#include "nn/edges.h"

#include <algorithm>

namespace attune {
namespace {

using Ids = View<std::int32_t>;

// A CSR under construction: rows are finished one after the other, up to `most` entries.
struct Growing {
  Ids indptr, indices;
  Index n_rows = 0;

  Growing(Index rows, Index most, Arena& arena)
      : indptr(arena.view<std::int32_t>({rows + 1})), indices(arena.view<std::int32_t>({most})) {
    indptr[0] = 0;
  }
  std::int32_t* begin() { return indices.data() + indptr[n_rows]; }
  void finish_row(const std::int32_t* end) {
    indptr[++n_rows] = static_cast<std::int32_t>(end - indices.data());
  }
  PackedEdges edges() const {
    return {indptr, View<const std::int32_t>(indices.data(), {indptr[n_rows]})};
  }
};

const std::int32_t* first_of(const PackedEdges& edges, Index row) {
  return edges.indices.data() + edges.indptr[row];
}

}  // namespace

PackedEdges with_self_loops(const PackedEdges& edges, Arena& arena) {
  const Index n = edges.n_rows();
  Growing all(n, edges.n_entries() + n, arena);
  for (Index i = 0; i < n; ++i) {
    std::int32_t* to = all.begin();
    *to++ = static_cast<std::int32_t>(i);
    all.finish_row(std::remove_copy(first_of(edges, i), first_of(edges, i + 1), to,
                                    static_cast<std::int32_t>(i)));
  }
  return all.edges();
}

PackedEdges neighbour_sets(const PackedEdges& edges, bool self, Arena& arena) {
  const Index n = edges.n_rows();
  Growing sets(n, edges.n_entries() + (self ? n : 0), arena);
  for (Index i = 0; i < n; ++i) {
    std::int32_t* const begin = sets.begin();
    std::int32_t* end = std::copy(first_of(edges, i), first_of(edges, i + 1), begin);
    if (self) *end++ = static_cast<std::int32_t>(i);
    std::sort(begin, end);
    sets.finish_row(std::unique(begin, end));
  }
  return sets.edges();
}

EdgeRows edge_rows(const PackedEdges& edges, const PackedRows& rows, Arena& arena) {
  const auto target = arena.view<std::int32_t>({edges.n_entries()});
  for (Index i = 0; i < edges.n_rows(); ++i)
    std::fill(target.data() + edges.indptr[i], target.data() + edges.indptr[i + 1],
              static_cast<std::int32_t>(i));
  const auto offsets = arena.view<std::int32_t>({rows.n_examples() + 1});
  for (Index e = 0; e <= rows.n_examples(); ++e) offsets[e] = edges.indptr[rows.offsets[e]];
  return {edges.indices, target, {offsets, rows.example, {}}};
}

PackedEdges line_graph(const PackedEdges& edges, Arena& arena) {
  const Index n = edges.n_rows(), m = edges.n_entries();
  // The edges that leave each node, rising, by counting.
  const auto out_start = arena.zeros<std::int32_t>({n + 1});
  for (Index t = 0; t < m; ++t) ++out_start[edges.indices[t] + 1];
  for (Index i = 0; i < n; ++i) out_start[i + 1] += out_start[i];
  const auto leaving = arena.view<std::int32_t>({m});
  const auto next = arena.view<std::int32_t>({n});
  std::copy_n(out_start.data(), n, next.data());
  for (Index t = 0; t < m; ++t) leaving[next[edges.indices[t]]++] = static_cast<std::int32_t>(t);

  const auto degree = [&](Index i) {
    return edges.indptr[i + 1] - edges.indptr[i] + out_start[i + 1] - out_start[i];
  };
  Index most = 0;
  for (Index i = 0; i < n; ++i)
    for (Index t = edges.indptr[i]; t < edges.indptr[i + 1]; ++t)
      most += degree(i) + degree(edges.indices[t]);
  Growing lines(m, most, arena);
  for (Index i = 0; i < n; ++i) {
    for (Index t = edges.indptr[i]; t < edges.indptr[i + 1]; ++t) {
      std::int32_t* const begin = lines.begin();
      std::int32_t* end = begin;
      for (const Index node : {i, static_cast<Index>(edges.indices[t])}) {
        for (Index into = edges.indptr[node]; into < edges.indptr[node + 1]; ++into)
          *end++ = static_cast<std::int32_t>(into);
        end =
            std::copy(leaving.data() + out_start[node], leaving.data() + out_start[node + 1], end);
      }
      std::sort(begin, end);
      lines.finish_row(std::unique(begin, end));
    }
  }
  return lines.edges();
}

}  // namespace attune
