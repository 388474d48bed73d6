#include <algorithm>

#include "kernels/gather_rows.h"
#include "kernels/graph_attention_parts.h"
#include "kernels/head_cells.h"
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
  // Of scores before the softmax for gatv2, of what is below LeakyReLU for gat; and the factors
  // that weights stand for. [m, h]
  View<Real> dscores, factors;
  // For gat: node scores, and the sums of dscores into each node. [n, h]
  View<const Real> sent, received;
  View<Real> into;

  SpreadHeads<Real> spread;
  Vec<Real> slope, keep;
  bool gat, fresh_z;
  View<const Real> z_dst() const { return x.z_dst ? x.z_dst : x.z; }
  View<Real> dz_dst() const { return x.z_dst ? gradients.z_dst : gradients.z; }

  void receive(Index begin, Index end, Real* datt) const;
  void send(Index j, const EntriesByColumn& from, Real* to_node, Real* datt_src,
            Real* datt_dst) const;
  void send_gatv2(Index j, const EntriesByColumn& from) const;

 private:
  template <bool kFew>
  using Numbers = typename SpreadHeads<Real>::template Numbers<kFew>;

  void products(Index begin, Index end, Real* to) const;
  void softmax_backward(Index i, Real* products, const Real* from) const;
  void softmax_backward_by_cells(Index i, const Real* products, const Real* from,
                                 Vec<Real>* room) const;
  void receive_gatv2(Index i, Real* datt) const;
};

// dy_i · z_j of the edges into nodes [begin, end).
template <class Real>
void Backward<Real>::products(Index begin, Index end, Real* to) const {
  for (Index i = begin; i < end; ++i) {
    const Real* upstream = dy.data() + i * s.columns();
    for (Index e = edges.indptr[i]; e < edges.indptr[i + 1]; ++e, to += s.h) {
      const Real* z = x.z.data() + edges.indices[e] * s.columns();
      sum_heads<Real>(
          s.h, s.d,
          [&](Index c, auto lanes) { return lanes.load(upstream + c) * lanes.load(z + c); }, to);
    }
  }
}

// Products of the edges into node i become factors and dscores, and for gat the sum of these; from:
// what their senders are scored. The mean under α is taken twice, as softmax_row_backward has it
// and for its reason. A weight of 0 that isn't dropped takes no gradient either.
template <class Real>
void Backward<Real>::softmax_backward(Index i, Real* products, const Real* from) const {
  const Index first = edges.indptr[i] * s.h, n_edges = edges.indptr[i + 1] - edges.indptr[i];
  const Real* w = weights.data() + first;
  for_lanes<Real>(n_edges * s.h, [&](Index t, auto lanes) {
    const Vec<Real> weight = lanes.load(w + t);
    const auto off = weight <= Vec<Real>(0);
    lanes.store(products + t, select(off, Vec<Real>(0), lanes.load(products + t) * keep));
    lanes.store(factors.data() + first + t, select(off, Vec<Real>(0), weight * keep));
  });
  for_lanes<Real>(s.h, [&](Index head, auto lanes) {
    const auto alpha = [&](Index e) {
      const Vec<Real> signed_weight = lanes.load(w + e * s.h + head);
      return max(signed_weight, -signed_weight);
    };
    const auto mean_less = [&](Vec<Real> mean) {
      Vec<Real> total = Real(0);
      for (Index e = 0; e < n_edges; ++e) {
        total = fma(lanes.load(products + e * s.h + head) - mean, alpha(e), total);
      }
      return total;
    };
    const Vec<Real> mean = mean_less(Real(0)), rest = mean_less(mean);
    const Vec<Real> own = gat ? lanes.load(received.data() + i * s.h + head) : Vec<Real>(0);
    Vec<Real> total = Real(0);
    for (Index e = 0; e < n_edges; ++e) {
      Vec<Real> g = alpha(e) * (lanes.load(products + e * s.h + head) - mean - rest);
      if (gat) g *= leaky_slope(lanes.load(from + e * s.h + head) + own, slope);
      total += g;
      lanes.store(dscores.data() + first + e * s.h + head, g);
    }
    if (gat) lanes.store(into.data() + i * s.h + head, total);
  });
}

// The same by vectors of cells; whole vectors of `from` may be read.
template <class Real>
void Backward<Real>::softmax_backward_by_cells(Index i, const Real* products, const Real* from,
                                               Vec<Real>* room) const {
  constexpr Index kStep = kLanes<Real>;
  const Index first = edges.indptr[i] * s.h,
              n_cells = (edges.indptr[i + 1] - edges.indptr[i]) * s.h;
  const Real* w = weights.data() + first;
  Real *to = dscores.data() + first, *factor = factors.data() + first;
  const Vec<Real> own = gat ? repeat_heads(received.data() + i * s.h, s.h) : Vec<Real>(0);
  Vec<Real> total = Real(0);
  with_vectors<Real>(n_cells, room, [&](auto n, auto& alpha, auto& d) {
    const SomeLanes<Real> last{n_cells - (n - 1) * kStep};
    const auto read = [&](const Real* p, Index v) {
      return v == n - 1 ? last.load(p + v * kStep) : load(p + v * kStep);
    };
    const auto write = [&](Real* p, Index v, Vec<Real> numbers) {
      v == n - 1 ? last.store(p + v * kStep, numbers) : store(p + v * kStep, numbers);
    };
    Vec<Real> mean = Real(0), rest = Real(0);
    for (Index v = 0; v < n; ++v) {
      const Vec<Real> weight = read(w, v);
      const auto off = weight <= Vec<Real>(0);
      alpha[v] = max(weight, -weight);
      d[v] = select(off, Vec<Real>(0), read(products, v) * keep);
      write(factor, v, select(off, Vec<Real>(0), weight * keep));
      mean = fma(d[v], alpha[v], mean);
    }
    mean = sum_cells(mean, s.h);
    for (Index v = 0; v < n; ++v) rest = fma(d[v] - mean, alpha[v], rest);
    rest = sum_cells(rest, s.h);
    for (Index v = 0; v < n; ++v) {
      Vec<Real> g = alpha[v] * (d[v] - mean - rest);
      if (gat) g *= leaky_slope(load(from + v * kStep) + own, slope);
      total += g;
      write(to, v, g);
    }
  });
  if (gat) store_n(into.data() + i * s.h, s.h, sum_cells(total, s.h));
}

template <class Real>
void Backward<Real>::receive_gatv2(Index i, Real* datt) const {
  const Real* own = z_dst().data() + i * s.columns();
  Real* down = dz_dst() ? dz_dst().data() + i * s.columns() : nullptr;
  for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
    const Vec<Real> mine = lanes.load(own + c), att = lanes.load(x.att_src.data() + c);
    Vec<Real> total = Real(0), total_att = Real(0);
    for (Index e = edges.indptr[i]; e < edges.indptr[i + 1]; ++e) {
      const Vec<Real> u = lanes.load(x.z.data() + edges.indices[e] * s.columns() + c) + mine;
      const Vec<Real> ds = Numbers<false>(spread, dscores.data() + e * s.h)(c);
      total = fma(ds * att, leaky_slope(u, slope), total);
      total_att = fma(ds, leaky(u, slope), total_att);
    }
    if (down != nullptr) lanes.store(down + c, lanes.load(down + c) + total);
    if (datt != nullptr) lanes.store(datt + c, lanes.load(datt + c) + total_att);
  });
}

// Of nodes [begin, end) as receivers; `datt` is the block's share of gatv2's gradient of att.
template <class Real>
void Backward<Real>::receive(Index begin, Index end, Real* datt) const {
  Scratch local;
  const Index before = edges.indptr[begin], m = edges.indptr[end] - before, n_cells = m * s.h;
  const auto cells = [&](Index n) { return local.allocate<Real>(n + kLanes<Real>); };
  Real *const products_of = cells(n_cells), *const from = cells(gat ? n_cells : 0);
  auto* room = local.allocate<Vec<Real>>(2 * (n_cells / kLanes<Real> + 1));
  products(begin, end, products_of);
  if (gat) gather_heads(sent.data(), edges.indices.data() + before, m, s.h, from);
  const bool by_cells = cells_fill_vectors<Real>(s.h);
  for_rows_by_length(edges.indptr.data(), begin, end, [&](Index i) {
    const Index cell = (edges.indptr[i] - before) * s.h;
    by_cells ? softmax_backward_by_cells(i, products_of + cell, from + cell, room)
             : softmax_backward(i, products_of + cell, from + cell);
    if (!gat) receive_gatv2(i, datt);
  });
}

// Of node j as a sender, for gat; with what it gets as a receiver, so that its rows are visited
// once. to_node [h] is scratch; datt_src and datt_dst are the block's shares, with room for whole
// vectors.
template <class Real>
void Backward<Real>::send(Index j, const EntriesByColumn& from, Real* to_node, Real* datt_src,
                          Real* datt_dst) const {
  const Index first = from.start[j], n_edges = from.start[j + 1] - first, at = j * s.columns();
  const std::int32_t *entry = from.entry.data() + first, *receiver = from.row.data() + first;
  const Real* z = x.z.data() + at;
  spread.with([&](auto few) {
    using Heads = Numbers<few.value>;
    const auto sum_of_edges = [&] {
      if constexpr (few.value) {
        Vec<Real> total = Real(0);
        for (Index e = 0; e < n_edges; ++e) total += load_n(dscores.data() + entry[e] * s.h, s.h);
        return Heads(spread, total);
      } else {
        for_lanes<Real>(s.h, [&](Index head, auto lanes) {
          Vec<Real> total = Real(0);
          for (Index e = 0; e < n_edges; ++e) {
            total += lanes.load(dscores.data() + entry[e] * s.h + head);
          }
          lanes.store(to_node + head, total);
        });
        return Heads(spread, to_node);
      }
    };
    const Heads sums = sum_of_edges(), into_node(spread, into.data() + j * s.h);
    const auto add_share = [&](Real* share, const Heads& heads) {
      if (share == nullptr) return;
      for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
        store(share + c, fma(heads(c), lanes.load(z + c), load(share + c)));
      });
    };
    add_share(datt_src, sums);
    add_share(datt_dst, into_node);
    if (!gradients.z) return;
    Real* dz = gradients.z.data() + at;
    weighted_rows<Real>(
        n_edges, [&](Index e) { return dy.data() + receiver[e] * s.columns(); },
        [&](Index e) { return Heads(spread, factors.data() + entry[e] * s.h); }, s.columns(),
        [&](Index c, auto lanes) {
          const Vec<Real> scored = fma(into_node(c), lanes.load(x.att_dst.data() + c),
                                       sums(c) * lanes.load(x.att_src.data() + c));
          return fresh_z ? scored : lanes.load(dz + c) + scored;
        },
        dz);
  });
}

template <class Real>
void Backward<Real>::send_gatv2(Index j, const EntriesByColumn& from) const {
  if (!gradients.z) return;
  const Index first = from.start[j], n_edges = from.start[j + 1] - first, at = j * s.columns();
  const std::int32_t *entry = from.entry.data() + first, *receiver = from.row.data() + first;
  Real* dz = gradients.z.data() + at;
  spread.with([&](auto few) {
    using Heads = Numbers<few.value>;
    weighted_rows<Real>(
        n_edges, [&](Index e) { return dy.data() + receiver[e] * s.columns(); },
        [&](Index e) { return Heads(spread, factors.data() + entry[e] * s.h); }, s.columns(),
        FromRow<Real>{dz}, dz);
    for_lanes<Real>(s.columns(), [&](Index c, auto lanes) {
      const Vec<Real> own = lanes.load(x.z.data() + at + c), att = lanes.load(x.att_src.data() + c);
      Vec<Real> total = lanes.load(dz + c);
      for (Index e = 0; e < n_edges; ++e) {
        const Vec<Real> u = own + lanes.load(z_dst().data() + receiver[e] * s.columns() + c);
        const Vec<Real> ds = Heads(spread, dscores.data() + entry[e] * s.h)(c);
        total = fma(ds * att, leaky_slope(u, slope), total);
      }
      lanes.store(dz + c, total);
    });
  });
}

// f(begin, end, first share, second share) for blocks of nodes, and each of two gradients of att
// gets the sum of its shares in the order of blocks; null for one that is absent. Shares have room
// for whole vectors.
template <class Real, class F>
void for_blocks(const char* kernel, const EdgeSizes& s, double cost, View<Real> first,
                View<Real> second, const F& f) {
  Scratch scratch;
  const Index n_blocks = row_blocks(s.n), stride = s.columns() + kLanes<Real>;
  const auto shares_of = [&](View<Real> gradient) -> Real* {
    return gradient ? scratch.allocate<Real>(n_blocks * stride) : nullptr;
  };
  Real *const firsts = shares_of(first), *const seconds = shares_of(second);
  parallel_ranges(kernel, s.n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    const auto share = [&](Real* shares) {
      if (shares == nullptr) return shares;
      Real* own = shares + begin / kRowsPerBlock * stride;
      std::fill_n(own, stride, Real(0));
      return own;
    };
    f(begin, end, share(firsts), share(seconds));
  });
  if (first) add_chunks(firsts, n_blocks, stride, first);
  if (second) add_chunks(seconds, n_blocks, stride, second);
}

}  // namespace

template <class Real>
void edge_attention_backward(const EdgeAttentionOptions& o, const PackedRows& pack,
                             const PackedEdges& edges, View<const Real> dy,
                             const EdgeOperands<const Real>& x, View<const Real> weights,
                             const EdgeOperands<Real>& gradients, bool fresh_z) {
  const char* const kernel = "edge_attention_backward";
  const EdgeSizes s = check_edge_attention(kernel, o, pack, edges, x);
  check_shape(kernel, "dy", dy, x.z.shape(), "z");
  check_shape(kernel, "weights", weights, {s.m, s.h}, "edges and heads");
  const bool gat = o.score == EdgeScore::gat;
  Scratch scratch;
  const auto cells = scratch.view<Real>({s.m, s.h}), factors = scratch.view<Real>({s.m, s.h});
  const Shape of_nodes{gat ? s.n : 0, s.h};
  const auto sent = scratch.view<Real>(of_nodes), received = scratch.view<Real>(of_nodes),
             into = scratch.view<Real>(of_nodes);
  if (gat) {
    node_scores(s, x.z, x.att_src, sent);
    node_scores(s, x.z, x.att_dst, received);
  }
  const Backward<Real> b{s,
                         edges,
                         x,
                         gradients,
                         dy,
                         weights,
                         cells,
                         factors,
                         sent,
                         received,
                         into,
                         SpreadHeads<Real>(s.h, s.d, scratch),
                         static_cast<Real>(o.slope),
                         static_cast<Real>(o.dropout.keep_scale()),
                         gat,
                         fresh_z};
  if (fresh_z && !gat) std::fill(gradients.z.begin(), gradients.z.end(), Real(0));
  for_blocks(kernel, s, s.cost(gat ? 0.5 : 1.0), gat ? View<Real>() : gradients.att_src,
             View<Real>(),
             [&](Index begin, Index end, Real* datt, Real*) { b.receive(begin, end, datt); });
  const View<Real> datt_src = gat ? gradients.att_src : View<Real>(),
                   datt_dst = gat ? gradients.att_dst : View<Real>();
  if (!gradients.z && !datt_src && !datt_dst) return;
  const EntriesByColumn from = by_column(edges, s.n);
  for_blocks("edge_attention_senders", s, s.cost(0.5), datt_src, datt_dst,
             [&](Index begin, Index end, Real* src, Real* dst) {
               Scratch local;
               Real* to_node = local.allocate<Real>(s.h);
               for_rows_by_length(from.start.data(), begin, end, [&](Index j) {
                 gat ? b.send(j, from, to_node, src, dst) : b.send_gatv2(j, from);
               });
             });
}

template void edge_attention_backward(const EdgeAttentionOptions&, const PackedRows&,
                                      const PackedEdges&, View<const float>,
                                      const EdgeOperands<const float>&, View<const float>,
                                      const EdgeOperands<float>&, bool);
template void edge_attention_backward(const EdgeAttentionOptions&, const PackedRows&,
                                      const PackedEdges&, View<const double>,
                                      const EdgeOperands<const double>&, View<const double>,
                                      const EdgeOperands<double>&, bool);

}  // namespace attune::kernels
