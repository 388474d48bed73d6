#include <algorithm>

#include "kernels/gather_rows.h"
#include "kernels/graph_attention_parts.h"
#include "kernels/sparse_rows.h"

namespace attune::kernels {
namespace {

template <class Real>
struct Backward {
  const EdgeSizes s;
  const PackedEdges& edges;
  const EdgeOperands<const Real>& x;
  const EdgeOperands<Real>& gradients;
  View<const Real> dy, weights;
  // Of scores before the softmax for gatv2, of what is below LeakyReLU for gat. [m, h]
  View<Real> dscores;
  View<const Real> sent = {}, received = {};  // gat: node scores [n, h]

  SpreadHeads<Real> spread;
  Vec<Real> slope, keep;
  bool gat;
  View<const Real> z_dst() const { return x.z_dst ? x.z_dst : x.z; }
  View<Real> dz_dst() const { return x.z_dst ? gradients.z_dst : gradients.z; }

  void products(Index begin, Index end);
  void receive(Index i, Real* to_node, Real* datt);
  void send(Index j, const EntriesByColumn& from, Real* to_node, Real* datt);

 private:
  // to += factors of heads · from, a row of columns.
  void add_spread(const Real* from, const Real* factors, Real* to) const {
    for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
      lanes.store(to + c, fma(spread(factors, c), lanes.load(from + c), lanes.load(to + c)));
    });
  }
  void softmax_backward(Index i, Real* to_node);
  void receive_gatv2(Index i, Real* datt);
};

// dscores of the edges into nodes [begin, end), as gradients of weights.
template <class Real>
void Backward<Real>::products(Index begin, Index end) {
  for (Index i = begin; i < end; ++i) {
    const Real* upstream = dy.data() + i * s.columns();
    for (Index e = edges.indptr[i]; e < edges.indptr[i + 1]; ++e) {
      const Real* z = x.z.data() + edges.indices[e] * s.columns();
      sum_heads<Real>(
          s.h, s.d,
          [&](Index c, auto lanes) { return lanes.load(upstream + c) * lanes.load(z + c); },
          dscores.data() + e * s.h);
    }
  }
  // A weight of 0 that isn't dropped takes no gradient either.
  const Index first = edges.indptr[begin] * s.h, n = edges.indptr[end] * s.h - first;
  for_lanes<Real>(n, [&](Index t, auto lanes) {
    Real* ds = dscores.data() + first + t;
    const auto off = lanes.load(weights.data() + first + t) <= Vec<Real>(0);
    lanes.store(ds, select(off, Vec<Real>(0), lanes.load(ds) * keep));
  });
}

// dscores of the edges into node i become gradients of the scores before the softmax; for gat they
// go on through LeakyReLU, and to_node [h] gets their sum. The mean under α is taken twice, as
// softmax_row_backward has it and for its reason.
template <class Real>
void Backward<Real>::softmax_backward(Index i, Real* to_node) {
  const Index first = edges.indptr[i], n_edges = edges.indptr[i + 1] - first;
  const Real* w = weights.data() + first * s.h;
  Real* ds = dscores.data() + first * s.h;
  for_lanes<Real>(s.h, [&](Index head, auto lanes) {
    const auto alpha = [&](Index e) {
      const Vec<Real> signed_weight = lanes.load(w + e * s.h + head);
      return max(signed_weight, -signed_weight);
    };
    const auto mean_less = [&](Vec<Real> mean) {
      Vec<Real> total = Real(0);
      for (Index e = 0; e < n_edges; ++e) {
        total = fma(lanes.load(ds + e * s.h + head) - mean, alpha(e), total);
      }
      return total;
    };
    const Vec<Real> mean = mean_less(Real(0)), rest = mean_less(mean);
    const Vec<Real> own = gat ? lanes.load(received.data() + i * s.h + head) : Vec<Real>(0);
    Vec<Real> total = Real(0);
    for (Index e = 0; e < n_edges; ++e) {
      Real* to = ds + e * s.h + head;
      Vec<Real> g = alpha(e) * (lanes.load(to) - mean - rest);
      if (gat) {
        const Vec<Real> from = lanes.load(sent.data() + edges.indices[first + e] * s.h + head);
        g *= leaky_slope(from + own, slope);
        total += g;
      }
      lanes.store(to, g);
    }
    if (gat) lanes.store(to_node + head, total);
  });
}

template <class Real>
void Backward<Real>::receive_gatv2(Index i, Real* datt) {
  const Real* own = z_dst().data() + i * s.columns();
  Real* down = dz_dst() ? dz_dst().data() + i * s.columns() : nullptr;
  for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
    const Vec<Real> mine = lanes.load(own + c), att = lanes.load(x.att_src.data() + c);
    Vec<Real> total = Real(0), total_att = Real(0);
    for (Index e = edges.indptr[i]; e < edges.indptr[i + 1]; ++e) {
      const Vec<Real> u = lanes.load(x.z.data() + edges.indices[e] * s.columns() + c) + mine;
      const Vec<Real> ds = spread(dscores.data() + e * s.h, c);
      total = fma(ds * att, leaky_slope(u, slope), total);
      total_att = fma(ds, leaky(u, slope), total_att);
    }
    if (down != nullptr) lanes.store(down + c, lanes.load(down + c) + total);
    if (datt != nullptr) lanes.store(datt + c, lanes.load(datt + c) + total_att);
  });
}

// Of node i as a receiver; `datt` is the block's share of the gradient of what it is scored by.
template <class Real>
void Backward<Real>::receive(Index i, Real* to_node, Real* datt) {
  softmax_backward(i, to_node);
  if (!gat) return receive_gatv2(i, datt);
  const Index at = i * s.columns();
  if (gradients.z) add_spread(x.att_dst.data(), to_node, gradients.z.data() + at);
  if (datt != nullptr) add_spread(x.z.data() + at, to_node, datt);
}

// Of node j as a sender.
template <class Real>
void Backward<Real>::send(Index j, const EntriesByColumn& from, Real* to_node, Real* datt) {
  const Index first = from.start[j], n_edges = from.start[j + 1] - first;
  const std::int32_t *entry = from.entry.data() + first, *receiver = from.row.data() + first;
  const Index at = j * s.columns();
  if (gat) {
    for_lanes<Real>(s.h, [&](Index head, auto lanes) {
      Vec<Real> total = Real(0);
      for (Index e = 0; e < n_edges; ++e) {
        total += lanes.load(dscores.data() + entry[e] * s.h + head);
      }
      lanes.store(to_node + head, total);
    });
    if (datt != nullptr) add_spread(x.z.data() + at, to_node, datt);
  }
  if (!gradients.z) return;
  Real* dz = gradients.z.data() + at;
  add_weighted_rows<Real>(
      n_edges, [&](Index e) { return dy.data() + receiver[e] * s.columns(); },
      [&](Index e, Index c) {
        return spread(weights.data() + entry[e] * s.h, c,
                      [&](Vec<Real> w) { return kept(w, keep); });
      },
      s.columns(), dz);
  if (gat) {
    add_spread(x.att_src.data(), to_node, dz);
    return;
  }
  for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
    const Vec<Real> own = lanes.load(x.z.data() + at + c), att = lanes.load(x.att_src.data() + c);
    Vec<Real> total = lanes.load(dz + c);
    for (Index e = 0; e < n_edges; ++e) {
      const Vec<Real> u = own + lanes.load(z_dst().data() + receiver[e] * s.columns() + c);
      const Vec<Real> ds = spread(dscores.data() + entry[e] * s.h, c);
      total = fma(ds * att, leaky_slope(u, slope), total);
    }
    lanes.store(dz + c, total);
  });
}

// first(begin, end) and then f(node, scratch [h], datt's share of the block) for blocks of nodes,
// and datt += the shares in order.
template <class Real, class First, class F>
void for_nodes(const char* kernel, const EdgeSizes& s, double cost, View<Real> datt, First first,
               F f) {
  Scratch scratch;
  const Index n_blocks = row_blocks(s.n), columns = s.columns();
  Real* shares = datt ? scratch.allocate<Real>(n_blocks * columns) : nullptr;
  parallel_ranges(kernel, s.n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    Scratch local;
    Real* to_node = local.allocate<Real>(s.h);
    Real* share = shares == nullptr ? nullptr : shares + begin / kRowsPerBlock * columns;
    if (share != nullptr) std::fill_n(share, columns, Real(0));
    first(begin, end);
    for (Index i = begin; i < end; ++i) f(i, to_node, share);
  });
  if (datt) add_chunks(shares, n_blocks, columns, datt);
}

}  // namespace

template <class Real>
void edge_attention_backward(const EdgeAttentionOptions& o, const PackedRows& pack,
                             const PackedEdges& edges, View<const Real> dy,
                             const EdgeOperands<const Real>& x, View<const Real> weights,
                             const EdgeOperands<Real>& gradients) {
  const char* const kernel = "edge_attention_backward";
  const EdgeSizes s = check_edge_attention(kernel, o, pack, edges, x);
  check_shape(kernel, "dy", dy, x.z.shape(), "z");
  check_shape(kernel, "weights", weights, {s.m, s.h}, "edges and heads");
  const bool gat = o.score == EdgeScore::gat;
  Scratch scratch;
  Backward<Real> b{s,
                   edges,
                   x,
                   gradients,
                   dy,
                   weights,
                   scratch.view<Real>({s.m, s.h}),
                   {},
                   {},
                   SpreadHeads<Real>(s.h, s.d, scratch),
                   static_cast<Real>(o.slope),
                   static_cast<Real>(o.dropout.keep_scale()),
                   gat};
  if (gat) {
    const auto sent = scratch.view<Real>({s.n, s.h}), received = scratch.view<Real>({s.n, s.h});
    node_scores(s, x.z, x.att_src, sent);
    node_scores(s, x.z, x.att_dst, received);
    b.sent = sent;
    b.received = received;
  }
  for_nodes(
      kernel, s, s.cost(gat ? 0.5 : 1.0), gat ? gradients.att_dst : gradients.att_src,
      [&](Index begin, Index end) { b.products(begin, end); },
      [&](Index i, Real* to_node, Real* datt) { b.receive(i, to_node, datt); });
  const View<Real> datt = gat ? gradients.att_src : View<Real>();
  if (!gradients.z && !datt) return;
  const EntriesByColumn from = by_column(edges, s.n, scratch);
  for_nodes(
      "edge_attention_senders", s, s.cost(0.5), datt, [](Index, Index) {},
      [&](Index j, Real* to_node, Real* share) { b.send(j, from, to_node, share); });
}

template void edge_attention_backward(const EdgeAttentionOptions&, const PackedRows&,
                                      const PackedEdges&, View<const float>,
                                      const EdgeOperands<const float>&, View<const float>,
                                      const EdgeOperands<float>&);
template void edge_attention_backward(const EdgeAttentionOptions&, const PackedRows&,
                                      const PackedEdges&, View<const double>,
                                      const EdgeOperands<const double>&, View<const double>,
                                      const EdgeOperands<double>&);

}  // namespace attune::kernels
