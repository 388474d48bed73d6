#include "kernels/graph_attention.h"

#include <algorithm>

#include "kernels/edge_mask.h"
#include "kernels/gather_rows.h"
#include "kernels/graph_attention_parts.h"
#include "kernels/head_cells.h"
#include "kernels/math.h"
#include "kernels/sparse_rows.h"

namespace attune::kernels {
namespace {

// Scores [edges, h] of the edges into rows [begin, end).
template <class Real>
void edge_scores_gatv2(const EdgeSizes& s, const PackedEdges& edges,
                       const EdgeOperands<const Real>& x, Vec<Real> slope, Index begin, Index end,
                       Real* scores) {
  const Real *att = x.att_src.data(), *z_dst = (x.z_dst ? x.z_dst : x.z).data();
  for (Index i = begin; i < end; ++i) {
    const Real* own = z_dst + i * s.columns();
    for (Index e = edges.indptr[i]; e < edges.indptr[i + 1]; ++e, scores += s.h) {
      const Real* sender = x.z.data() + edges.indices[e] * s.columns();
      sum_heads<Real>(
          s.h, s.d,
          [&](Index j, auto lanes) {
            return lanes.load(att + j) * leaky(lanes.load(sender + j) + lanes.load(own + j), slope);
          },
          scores);
    }
  }
}

// The softmax of a row's scores [edges, h], shifted by the largest of each head; weights may be
// scores. Scores of −inf alone have powers that sum to 0, and get 0.
template <class Real>
void row_softmax(Index n_edges, Index h, const Real* scores, Real* weights) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  for_lanes<Real>(h, [&](Index head, auto lanes) {
    Vec<Real> top = -infinity, total = Real(0);
    for (Index e = 0; e < n_edges; ++e) top = max(top, lanes.load(scores + e * h + head));
    const Vec<Real> shift = select(top == Vec<Real>(-infinity), Vec<Real>(0), top);
    for (Index e = 0; e < n_edges; ++e) {
      const Vec<Real> power = exp(lanes.load(scores + e * h + head) - shift);
      total += power;
      lanes.store(weights + e * h + head, power);
    }
    const Vec<Real> inverse = select(total == Vec<Real>(0), Vec<Real>(0), Vec<Real>(1) / total);
    for (Index e = 0; e < n_edges; ++e) {
      Real* w = weights + e * h + head;
      lanes.store(w, lanes.load(w) * inverse);
    }
  });
}

// The same by vectors of cells; score(x) makes scores of what stands at `scores`, whole vectors of
// which may be read, and `room` holds a row's vectors.
template <class Real, class Score>
void row_softmax_by_cells(Index n_edges, Index h, const Real* scores, Vec<Real>* room,
                          Real* weights, const Score& score) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  constexpr Index kStep = kLanes<Real>;
  with_vectors<Real>(n_edges * h, room, [&](auto n, auto& x, auto&) {
    const SomeLanes<Real> last{n_edges * h - (n - 1) * kStep};
    Vec<Real> top = -infinity, total = Real(0);
    for (Index v = 0; v < n; ++v) {
      x[v] = score(load(scores + v * kStep));
      if (v == n - 1) x[v] = last.keep(x[v], -infinity);
      top = max(top, x[v]);
    }
    top = join_cells(top, h, [](Vec<Real> a, Vec<Real> b) { return max(a, b); });
    const Vec<Real> shift = select(top == Vec<Real>(-infinity), Vec<Real>(0), top);
    for (Index v = 0; v < n; ++v) {
      x[v] = exp(x[v] - shift);
      total += x[v];
    }
    total = sum_cells(total, h);
    const Vec<Real> inverse = select(total == Vec<Real>(0), Vec<Real>(0), Vec<Real>(1) / total);
    for (Index v = 0; v < n - 1; ++v) store(weights + v * kStep, x[v] * inverse);
    last.store(weights + (n - 1) * kStep, x[n - 1] * inverse);
  });
}

}  // namespace

template <class Real>
EdgeSizes check_edge_attention(const char* kernel, const EdgeAttentionOptions& o,
                               const PackedRows& pack, const PackedEdges& edges,
                               const EdgeOperands<const Real>& x) {
  check_rank(kernel, "z", x.z, 2);
  const Index n = x.z.dim(0), columns = x.z.dim(1);
  ATTUNE_CHECK(o.n_heads >= 1 && columns % o.n_heads == 0, ShapeError,
               "[{}] z has {} columns, which {} heads do not divide.", kernel, columns, o.n_heads);
  const Shape att{o.n_heads, columns / o.n_heads};
  check_shape(kernel, "att_src", x.att_src, att, "the heads of z");
  if (x.att_dst) check_shape(kernel, "att_dst", x.att_dst, att, "the heads of z");
  if (x.z_dst) check_shape(kernel, "z_dst", x.z_dst, x.z.shape(), "z");
  if (x.bias) check_shape(kernel, "bias", x.bias, {columns}, "a row of z");
  const bool gat = o.score == EdgeScore::gat;
  ATTUNE_CHECK(!gat || x.att_dst, ShapeError,
               "[{}] gat scores receivers by att_dst, which is absent.", kernel);
  ATTUNE_CHECK(!gat || !x.z_dst, ShapeError,
               "[{}] gat scores receivers by att_dst and z; z_dst is for gatv2.", kernel);
  check_edges(kernel, edges, pack, n);
  if (o.dropout.threshold() != 0) {
    ATTUNE_CHECK(pack.offsets && pack.example, ShapeError,
                 "[{}] dropout keys its mask by offsets and example ids of the {} nodes.", kernel,
                 n);
    ATTUNE_CHECK(n <= Index{8} << 20 && o.n_heads <= 4096, ShapeError,
                 "[{}] there are {} nodes and {} heads; the counter of a draw has room for {} and "
                 "4096.",
                 kernel, n, o.n_heads, Index{8} << 20);
  }
  return {n, edges.n_entries(), o.n_heads, columns / o.n_heads};
}

template <class Real>
void node_scores(const EdgeSizes& s, View<const Real> z, View<const Real> att, View<Real> scores) {
  parallel_ranges("node_scores", s.n, kRowsPerBlock, s.cost(0.2), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* row = z.data() + i * s.columns();
      sum_heads<Real>(
          s.h, s.d,
          [&](Index j, auto lanes) { return lanes.load(row + j) * lanes.load(att.data() + j); },
          scores.data() + i * s.h);
    }
  });
}

template <class Real>
void edge_attention(const EdgeAttentionOptions& o, const PackedRows& pack, const PackedEdges& edges,
                    const EdgeOperands<const Real>& x, View<Real> weights, View<Real> y) {
  const char* const kernel = "edge_attention";
  const EdgeSizes s = check_edge_attention(kernel, o, pack, edges, x);
  check_shape(kernel, "weights", weights, {s.m, s.h}, "edges and heads");
  check_shape(kernel, "y", y, x.z.shape(), "z");
  const bool gat = o.score == EdgeScore::gat;
  const Vec<Real> slope = static_cast<Real>(o.slope);
  Scratch scratch;
  const auto sent = scratch.view<Real>({gat ? s.n : 0, s.h}),
             received = scratch.view<Real>(sent.shape());
  if (gat) {
    node_scores(s, x.z, x.att_src, sent);
    node_scores(s, x.z, x.att_dst, received);
  }
  const EdgeMask mask(o, pack, edges, scratch);
  const SpreadHeads<Real> spread(s.h, s.d, scratch);

  const bool by_cells = cells_fill_vectors<Real>(s.h);

  parallel_ranges(kernel, s.n, kRowsPerBlock, s.cost(gat ? 0.5 : 1.0), [&](Index begin, Index end) {
    Scratch local;
    const std::int32_t *indptr = edges.indptr.data(), *indices = edges.indices.data();
    const Index before = indptr[begin] * s.h, n_cells = indptr[end] * s.h - before;
    // Of edges into these rows; for gat what senders are scored.
    Real *scores = local.allocate<Real>(n_cells + kLanes<Real>), *all = weights.data() + before;
    if (gat) {
      gather_heads(sent.data(), indices + indptr[begin], indptr[end] - indptr[begin], s.h, scores);
    } else {
      edge_scores_gatv2(s, edges, x, slope, begin, end, scores);
    }
    auto* room = local.allocate<Vec<Real>>(2 * (n_cells / kLanes<Real> + 1));
    for_rows_by_length(indptr, begin, end, [&](Index i) {
      const Index n_edges = indptr[i + 1] - indptr[i], first = indptr[i] * s.h - before;
      const Real* own = received.data() + i * s.h;
      if (by_cells && gat) {
        const Vec<Real> to = repeat_heads(own, s.h);
        row_softmax_by_cells(n_edges, s.h, scores + first, room, all + first,
                             [&](Vec<Real> from) { return leaky(from + to, slope); });
      } else if (by_cells) {
        row_softmax_by_cells(n_edges, s.h, scores + first, room, all + first,
                             [](Vec<Real> score) { return score; });
      } else {
        for_lanes<Real>(gat ? s.h : 0, [&](Index head, auto lanes) {
          for (Index e = 0; e < n_edges; ++e) {
            Real* cell = scores + first + e * s.h + head;
            lanes.store(cell, leaky(lanes.load(cell) + lanes.load(own + head), slope));
          }
        });
        row_softmax(n_edges, s.h, scores + first, all + first);
      }
    });
    const Real* factors = all;
    if (mask.drops()) {
      Real* kept = local.allocate<Real>(n_cells);
      mask.apply(begin, end, all, kept);
      factors = kept;
    }
    spread.with([&](auto few) {
      using Numbers = typename SpreadHeads<Real>::template Numbers<few.value>;
      for_rows_by_length(indptr, begin, end, [&](Index i) {
        const Index first = indptr[i];
        const Real* row = factors + first * s.h - before;
        weighted_rows<Real>(
            indptr[i + 1] - first,
            [&](Index e) { return x.z.data() + indices[first + e] * s.columns(); },
            [&](Index e) { return Numbers(spread, row + e * s.h); }, s.columns(),
            FromRow<Real>{x.bias ? x.bias.data() : nullptr}, y.data() + i * s.columns());
      });
    });
  });
}

template EdgeSizes check_edge_attention(const char*, const EdgeAttentionOptions&, const PackedRows&,
                                        const PackedEdges&, const EdgeOperands<const float>&);
template void node_scores(const EdgeSizes&, View<const float>, View<const float>, View<float>);
template void edge_attention(const EdgeAttentionOptions&, const PackedRows&, const PackedEdges&,
                             const EdgeOperands<const float>&, View<float>, View<float>);
template EdgeSizes check_edge_attention(const char*, const EdgeAttentionOptions&, const PackedRows&,
                                        const PackedEdges&, const EdgeOperands<const double>&);
template void node_scores(const EdgeSizes&, View<const double>, View<const double>, View<double>);
template void edge_attention(const EdgeAttentionOptions&, const PackedRows&, const PackedEdges&,
                             const EdgeOperands<const double>&, View<double>, View<double>);

}  // namespace attune::kernels
