#include <limits>
#include <type_traits>

#include "kernels/attention/drivers.h"
#include "kernels/attention_tile.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "kernels/philox_simd.h"

namespace attune::kernels {
namespace {

constexpr Index kKeyTile = 64;  // two tiles, of scores and of their gradients, stay in L1
// The first block of queries that sees a causal tile's keys is the one on its diagonal.
static_assert(kKeyTile == kBlock);

// One head of one sequence; q, dy, y, dq [n_q, d], k, v, dk, dv [n_k, d].
template <class Real>
struct Head {
  Rows<const Real> dy, q, k, v, y;
  Rows<Real> dq, dk, dv;
  FreshRows fresh;         // which of those the first tile writes
  const Real *lse, *dlse;  // one every lse_stride; dlse may be null
  Index lse_stride;
  std::uint32_t head, example;
};

// What the elementwise step knows of the block's queries, lanes of each.
template <class Real>
struct Queries {
  alignas(64) Real lse[kBlock], delta[kBlock];  // base 2; scale · (dy · y − dlse)
};

// Of vectors [first, first + kV) of the tile's queries: scores (base 2) → P, or r M P; products
// scale · r · dy · v → scale · dS, with r = 1 / (1 − p̂). Hidden places become 0.
template <int kV, bool kDropout, class Real>
void differentiate(const Tile& tile, int first, const Drop& drop, Real keep_scale,
                   const Queries<Real>& queries, Real* scores, Real* products) {
  using V = Vec<Real>;
  const Drop dropout = drop;  // a copy that no store can reach
  constexpr Index kN = kLanes<Real>;
  const Index begin = first * kN, reach = tile.reach(begin + (kV - 1) * kN);
  V lse[kV], delta[kV];
  for (int v = 0; v < kV; ++v) {
    lse[v] = load(queries.lse + begin + v * kN);
    delta[v] = load(queries.delta + begin + v * kN);
  }
  const auto row = [&](Index j, Index from, auto triangle, const auto& draws) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      if (v < from) continue;
      Real* const s = scores + j * kBlock + begin + v * kN;
      Real* const d = products + j * kBlock + begin + v * kN;
      V p = exp2(load(s) - lse[v]), dp = load(d), dropped = p;
      if constexpr (kDropout) {
        const Mask<Real> kept = draws.template kept<Real>(first + v, dropout.threshold);
        dropped = select(kept, p * V(keep_scale), V(Real(0)));
        dp = select(kept, dp, V(Real(0)));
      }
      V ds = p * (dp - delta[v]);
      if constexpr (triangle.value) {
        const Mask<Real> hidden{lane_numbers<Real>() <
                                static_cast<typename V::Int>(j - tile.diagonal - begin - v * kN)};
        dropped = select(hidden, V(Real(0)), dropped);
        ds = select(hidden, V(Real(0)), ds);
      }
      store(s, dropped);
      store(d, ds);
    }
  };
  const Index seen = std::min(tile.diagonal, reach);
  for_keys<kDropout>(dropout, 0, seen,
                     [&](Index j, const auto& draws) { row(j, 0, std::false_type{}, draws); });
  for_keys<kDropout>(dropout, seen, reach, [&](Index j, const auto& draws) {
    row(j, tile.first_vector<Real>(j, begin), std::true_type{}, draws);
  });
}

template <class Real>
void differentiate_head(const AttentionOptions& options, const Head<Real>& head) {
  using V = Vec<Real>;
  constexpr double kLog2e = 1.4426950408889634074;
  constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  const double scale = options.scale / options.temperature;
  const DropoutOptions dropout = options.weight_dropout();
  const double keep_scale = dropout.keep_scale();
  Drop drop = Drop::of(options, head);

  Scratch scratch;
  Real* const queries = scratch.allocate<Real>(options.d_k * kBlock);
  Real* const gradients = scratch.allocate<Real>(options.d_v * kBlock);
  Real* const outputs = scratch.allocate<Real>(options.d_v * kBlock);
  Real* const scores = scratch.allocate<Real>(kKeyTile * kBlock);
  Real* const products = scratch.allocate<Real>(kKeyTile * kBlock);
  Queries<Real> lanes;
  const bool full = options.pattern == Pattern::full;

  for (Index first = 0; first < head.q.n; first += kBlock) {
    const Index n = std::min(kBlock, head.q.n - first);
    const Index n_keys = full ? head.k.n : std::min(head.k.n, first + n);
    const Rows<const Real> q = part(head.q, first, n), dy = part(head.dy, first, n);
    transpose_block(q, static_cast<Real>(scale * kLog2e), queries);
    transpose_block(dy, static_cast<Real>(scale * keep_scale), gradients);
    for (Index i = 0; i < kBlock; ++i) {
      const Real lse = i < n ? head.lse[(first + i) * head.lse_stride] : Real(0);
      // −inf: a query without keys, or all of whose scores are −inf; exp2(−inf − 0) is 0 where −inf
      // − −inf is NaN.
      lanes.lse[i] = lse == -kInfinity ? Real(0) : lse * static_cast<Real>(kLog2e);
    }
    transpose_block(part(head.y, first, n), static_cast<Real>(1 / keep_scale), outputs);
    // In the order of dy · v below, so that a query's only key has the gradient 0 that it should.
    for (Index i = 0; i < n; i += kLanes<Real>) {
      V delta(Real(0));
      for (Index c = 0; c < options.d_v; ++c)
        delta = fma(load(gradients + c * kBlock + i), load(outputs + c * kBlock + i), delta);
      store(lanes.delta + i, delta);
    }
    for (Index i = 0; head.dlse && i < n; ++i)
      lanes.delta[i] -= static_cast<Real>(scale) * head.dlse[(first + i) * head.lse_stride];
    for (Index j = 0; j < n_keys; j += kKeyTile) {
      const Tile tile(full, first, n, j, std::min(kKeyTile, n_keys - j));
      const Rows<const Real> k = part(head.k, j, tile.n_keys);
      tile_scores(tile, k, queries, scores);
      tile_scores(tile, part(head.v, j, tile.n_keys), gradients, products);
      drop.group = first / kBlock;
      drop.first_key = j;
      by_vectors<Real>(tile, [&](auto count, int v) {
        const auto keep = static_cast<Real>(keep_scale);
        options.dropout > 0
            ? differentiate<count.value, true>(tile, v, drop, keep, lanes, scores, products)
            : differentiate<count.value, false>(tile, v, drop, keep, lanes, scores, products);
      });
      const bool begins = first == (full ? 0 : j);  // nobody has seen these keys before
      tile_by_keys(tile, scores, dy, !(begins && head.fresh.v), part(head.dv, j, tile.n_keys));
      tile_by_keys(tile, products, q, !(begins && head.fresh.k), part(head.dk, j, tile.n_keys));
      tile_by_queries(tile, products, k, !(j == 0 && head.fresh.q), part(head.dq, first, n));
    }
  }
  // What no tile reaches.
  const Index seen = full && head.q.n > 0 ? head.k.n : std::min(head.k.n, head.q.n);
  if (head.fresh.q && head.k.n == 0) set_zero(head.dq);
  if (head.fresh.k) set_zero(part(head.dk, seen, head.k.n - seen));
  if (head.fresh.v) set_zero(part(head.dv, seen, head.k.n - seen));
}

}  // namespace

template <class Real>
void attention_tiled_backward(const AttentionCall<Real>& call, const AttentionGradients<Real>& g) {
  const AttentionOptions& o = call.options;
  const AttentionRows& rows = call.rows;
  const Index n_examples = call.n_examples(), group = o.n_heads / o.n_kv_heads;
  double scores = 0;
  for (Index e = 0; e < n_examples; ++e) {
    scores += static_cast<double>(rows.q_offsets[e + 1] - rows.q_offsets[e]) *
              static_cast<double>(rows.k_offsets[e + 1] - rows.k_offsets[e]);
  }
  const double cost =
      static_cast<double>(o.n_heads) * scores * (0.5 + 0.05 * static_cast<double>(o.d_k + o.d_v));
  // A task is a sequence with one head of keys: it alone writes these rows of dk and dv.
  parallel_for("attention_backward", n_examples * o.n_kv_heads, cost, [&](Index task) {
    const Index e = task / o.n_kv_heads, kv = task % o.n_kv_heads;
    const Index row = rows.q_offsets[e], n = rows.q_offsets[e + 1] - row;
    const Index key = rows.k_offsets[e], n_keys = rows.k_offsets[e + 1] - key;
    for (Index h = kv * group; h < (kv + 1) * group; ++h) {
      const bool first = h == kv * group;  // the others of the group add to what this one wrote
      differentiate_head<Real>(
          o, {.dy = part(g.dy.slice(h * o.d_v, o.d_v), row, n),
              .q = part(call.q.slice(h * o.d_k, o.d_k), row, n),
              .k = part(call.k.slice(kv * o.d_k, o.d_k), key, n_keys),
              .v = part(call.v.slice(kv * o.d_v, o.d_v), key, n_keys),
              .y = part(g.y.slice(h * o.d_v, o.d_v), row, n),
              .dq = part(g.dq.slice(h * o.d_k, o.d_k), row, n),
              .dk = part(g.dk.slice(kv * o.d_k, o.d_k), key, n_keys),
              .dv = part(g.dv.slice(kv * o.d_v, o.d_v), key, n_keys),
              .fresh = {g.fresh.q, g.fresh.k && first, g.fresh.v && first},
              .lse = g.lse.data() + row * o.n_heads + h,
              .dlse = g.dlse ? g.dlse.data() + row * o.n_heads + h : nullptr,
              .lse_stride = o.n_heads,
              .head = static_cast<std::uint32_t>(o.first_head + h),
              .example = rows.example ? static_cast<std::uint32_t>(rows.example[e]) : 0});
    }
  });
}

template void attention_tiled_backward(const AttentionCall<float>&,
                                       const AttentionGradients<float>&);
template void attention_tiled_backward(const AttentionCall<double>&,
                                       const AttentionGradients<double>&);

}  // namespace attune::kernels
