#include "kernels/graph_attention.h"

#include <algorithm>

#include "kernels/gather_rows.h"
#include "kernels/graph_attention_parts.h"
#include "kernels/math.h"
#include "kernels/packed_rows.h"
#include "kernels/philox_simd.h"
#include "kernels/sparse_rows.h"

namespace attune::kernels {
namespace {

// Turns the signs of the weights that dropout drops.
class EdgeMask {
 public:
  EdgeMask(const EdgeAttentionOptions& o, const PackedRows& pack, const PackedEdges& edges,
           Scratch& scratch)
      : options_(o.dropout),
        philox_(o.dropout.stream_key),
        n_heads_(o.n_heads),
        threshold_(o.dropout.threshold()),
        edges_(edges) {
    if (threshold_ == 0) return;
    const Shape nodes{edges.n_rows()};
    example_ = scratch.view<std::int32_t>(nodes);
    place_ = scratch.view<std::int32_t>(nodes);
    row_coordinates(pack.offsets, pack.example, example_, place_);
  }

  // Work on rows of at most `widest` edges.
  class Rows {
   public:
    Rows(const EdgeMask& mask, Index widest, Scratch& scratch) : mask_(mask) {
      if (mask.threshold_ == 0) return;
      const Index n = widest * mask.n_heads_ + kPadding;
      heads_ = scratch.allocate<std::int32_t>(n);
      keys_ = scratch.allocate<std::int32_t>(n);
      draws_ = scratch.allocate<std::uint32_t>(n);
      for (Index t = 0; t < n; ++t) heads_[t] = static_cast<std::int32_t>(t % mask.n_heads_);
      std::fill_n(keys_, n, 0);
    }
    // weights [edges of row i, n_heads]
    template <class Real>
    void apply(Index i, Real* weights) {
      if (mask_.threshold_ == 0) return;
      const Index begin = mask_.edges_.indptr[i], end = mask_.edges_.indptr[i + 1];
      const Index h = mask_.n_heads_, n = (end - begin) * h;
      for (Index e = begin; e < end; ++e) {
        // By whole vectors, over what the next edge writes again.
        const Numbers key = Numbers{} + mask_.place_[mask_.edges_.indices[e]];
        std::int32_t* to = keys_ + (e - begin) * h;
        for (Index t = 0; t < h; t += kPhiloxLanes) __builtin_memcpy(to + t, &key, sizeof(key));
      }
      const Words receiver = Words{} + static_cast<std::uint32_t>(mask_.place_[i]);
      dropout_cells(
          mask_.philox_, static_cast<std::uint32_t>(mask_.example_[i]), mask_.options_.step,
          [&](Index t) { return words_of(heads_ + t); },
          [&](Index t) { return words_of(keys_ + t); }, [&](Index) { return receiver; },
          whole_draws(n), draws_);
      for_lanes<Real>(n, [&](Index t, auto lanes) {
        const Vec<Real> w = lanes.load(weights + t);
        lanes.store(weights + t, select(kept_draws<Real>(draws_ + t, mask_.threshold_), w, -w));
      });
    }

   private:
    typedef std::int32_t Numbers __attribute__((vector_size(4 * kPhiloxLanes)));
    static constexpr Index kPadding = 2 * kLanes<float>;  // so that all goes by whole vectors

    const EdgeMask& mask_;
    std::int32_t *heads_ = nullptr, *keys_ = nullptr;
    std::uint32_t* draws_ = nullptr;
  };

 private:
  DropoutOptions options_;
  PhiloxKeys philox_;
  Index n_heads_;
  std::uint32_t threshold_;
  PackedEdges edges_;
  View<std::int32_t> example_, place_;  // of nodes
};

// The scores of the edges into a row, [edges, h], less the largest of each head. score(e, head,
// lanes) is asked for twice, which is faster than to read again what was just written.
template <class Real, class Score>
void shifted_scores(Index n_edges, Index h, Score score, Real* scores) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  for_lanes<Real>(h, [&](Index head, auto lanes) {
    Vec<Real> top = -infinity;
    for (Index e = 0; e < n_edges; ++e) top = max(top, score(e, head, lanes));
    // Scores of −inf alone have weights that sum to 0, and get 0.
    const Vec<Real> shift = select(top == Vec<Real>(-infinity), Vec<Real>(0), top);
    for (Index e = 0; e < n_edges; ++e) {
      lanes.store(scores + e * h + head, score(e, head, lanes) - shift);
    }
  });
}

// Powers [edges, h] become weights that sum to 1 in each head.
template <class Real>
void normalise(Index n_edges, Index h, Real* weights) {
  for_lanes<Real>(h, [&](Index head, auto lanes) {
    Vec<Real> total = Real(0);
    for (Index e = 0; e < n_edges; ++e) total += lanes.load(weights + e * h + head);
    const Vec<Real> inverse = select(total == Vec<Real>(0), Vec<Real>(0), Vec<Real>(1) / total);
    for (Index e = 0; e < n_edges; ++e) {
      Real* w = weights + e * h + head;
      lanes.store(w, lanes.load(w) * inverse);
    }
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
  const Vec<Real> keep = static_cast<Real>(o.dropout.keep_scale());
  Scratch scratch;
  const auto sent = scratch.view<Real>({gat ? s.n : 0, s.h}),
             received = scratch.view<Real>(sent.shape());
  if (gat) {
    node_scores(s, x.z, x.att_src, sent);
    node_scores(s, x.z, x.att_dst, received);
  }
  const Real* z_dst = (x.z_dst ? x.z_dst : x.z).data();
  const EdgeMask mask(o, pack, edges, scratch);
  const SpreadHeads<Real> spread(s.h, s.d, scratch);

  parallel_ranges(kernel, s.n, kRowsPerBlock, s.cost(gat ? 0.5 : 1.0), [&](Index begin, Index end) {
    Scratch local;
    const std::int32_t *indptr = edges.indptr.data(), *indices = edges.indices.data();
    Index widest = 0;
    for (Index i = begin; i < end; ++i) {
      const Index first = indptr[i], n_edges = indptr[i + 1] - first;
      widest = std::max(widest, n_edges);
      Real* scores = weights.data() + first * s.h;
      if (gat) {
        shifted_scores(
            n_edges, s.h,
            [&](Index e, Index head, auto lanes) {
              return leaky(lanes.load(sent.data() + indices[first + e] * s.h + head) +
                               lanes.load(received.data() + i * s.h + head),
                           slope);
            },
            scores);
      } else {
        const Real *att = x.att_src.data(), *own = z_dst + i * s.columns();
        for (Index e = 0; e < n_edges; ++e) {
          const Real* sender = x.z.data() + indices[first + e] * s.columns();
          sum_heads<Real>(
              s.h, s.d,
              [&](Index j, auto lanes) {
                return lanes.load(att + j) *
                       leaky(lanes.load(sender + j) + lanes.load(own + j), slope);
              },
              scores + e * s.h);
        }
        shifted_scores(
            n_edges, s.h,
            [&](Index e, Index head, auto lanes) { return lanes.load(scores + e * s.h + head); },
            scores);
      }
    }
    Real* all = weights.data() + indptr[begin] * s.h;
    for_lanes<Real>((indptr[end] - indptr[begin]) * s.h,
                    [&](Index t, auto lanes) { lanes.store(all + t, exp(lanes.load(all + t))); });
    EdgeMask::Rows dropped(mask, widest, local);
    for (Index i = begin; i < end; ++i) {
      const Index first = indptr[i], n_edges = indptr[i + 1] - first;
      Real *row = weights.data() + first * s.h, *out = y.data() + i * s.columns();
      normalise(n_edges, s.h, row);
      dropped.apply(i, row);
      std::fill_n(out, s.columns(), Real(0));
      add_weighted_rows<Real>(
          n_edges, [&](Index e) { return x.z.data() + indices[first + e] * s.columns(); },
          [&](Index e, Index j) {
            return spread(row + e * s.h, j, [&](Vec<Real> w) { return kept(w, keep); });
          },
          s.columns(), out);
    }
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
