#include <algorithm>
#include <limits>

#include "kernels/attention/drivers.h"
#include "kernels/attention_tile.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "kernels/part_clock.h"
#include "kernels/philox_simd.h"

namespace attune::kernels {
namespace {

constexpr Index kKeyTile = 128;  // scores of a tile stay in L1

template <class Real>
inline constexpr Real kInfinity = std::numeric_limits<Real>::infinity();

// One head of one sequence, one block of queries.
template <class Real>
struct Block {
  Rows<const Real> q, k, v;  // [≤ kBlock, d_k], [n_k, d_k], [n_k, d_v]
  Rows<Real> y;
  Real* lse;  // one every lse_stride
  Index lse_stride;
  Index first_query;
  std::uint32_t head, example;
};

// Running statistics of the block's queries: maximum of the base-2 scores, sum of their powers.
template <class Real>
struct Softmax {
  alignas(64) Real max[kBlock], sum[kBlock], factor[kBlock];

  // Of n queries: factor = keep_scale / sum, by which their weighted sums become means, and sum =
  // the log-sum-exp. A query without keys has the sum 0: its row is 0 and its log-sum-exp −inf.
  void finish(Index n, Real keep_scale) {
    using V = Vec<Real>;
    constexpr double kLn2 = 0.69314718055994530942;
    for (Index i = 0; i < n; i += kLanes<Real>) {
      const V total = load(sum + i);
      store(factor + i, select(total == V(Real(0)), V(Real(0)), V(keep_scale) / total));
      store(sum + i, fma(load(max + i), V(static_cast<Real>(kLn2)), log(total)));
    }
  }
};

// Vectors [first, first + kV) of the tile's queries: scores → powers of two, relative to the
// running maximum; what a query does not see becomes 0, and so does what is dropped, after it was
// summed. `factor` is what the sums so far had to be multiplied by.
template <int kV, bool kDropout, class Real>
void exponentiate(const Tile& tile, int first, const Drop& drop, Real* scores,
                  Softmax<Real>& state) {
  using V = Vec<Real>;
  const Drop dropout = drop;  // a copy that no store can reach: what keys share is computed once
  constexpr Index kN = kLanes<Real>;
  const Index begin = first * kN, reach = tile.reach(begin + (kV - 1) * kN);
  Real* const columns = scores + begin;
  const auto first_vector = [&](Index j) { return tile.first_vector<Real>(j, begin); };
  for (Index v = 0; v < kV; ++v) {
    const Index i = begin + v * kN;
    for (Index j = tile.seen(i); j < tile.reach(i); ++j) {
      const Mask<Real> hidden{lane_numbers<Real>() <
                              static_cast<typename V::Int>(j - tile.diagonal - i)};
      Real* const p = columns + j * kBlock + v * kN;
      store(p, select(hidden, V(-kInfinity<Real>), load(p)));
    }
  }
  V top[2][kV], total[kV], base[kV];
  for (int v = 0; v < kV; ++v) top[0][v] = top[1][v] = load(state.max + begin + v * kN);
  const auto raise = [&](Index j, V(&tops)[kV], Index from) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v)
      if (v >= from) tops[v] = max(load(columns + j * kBlock + v * kN), tops[v]);
  };
  Index j = 0;
  for (const Index pairs = std::min(tile.diagonal, reach) / 2 * 2; j < pairs; j += 2) {
    raise(j, top[0], 0);  // two chains hide the latency
    raise(j + 1, top[1], 0);
  }
  for (; j < reach; ++j) raise(j, top[0], first_vector(j));
  for (int v = 0; v < kV; ++v) {
    const Index i = begin + v * kN;
    const V old_max = load(state.max + i), now = max(top[1][v], top[0][v]);
    base[v] = select(now == V(-kInfinity<Real>), V(Real(0)), now);  // −inf − −inf would be NaN
    const V factor = exp2(old_max - base[v]);
    total[v] = load(state.sum + i) * factor;
    store(state.max + i, now);
    store(state.factor + i, factor);
  }
  const auto raise_to_power = [&](Index key, Index from, const auto& draws) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      if (v < from) continue;
      Real* const p = columns + key * kBlock + v * kN;
      const V power = exp2(load(p) - base[v]);
      total[v] += power;
      if constexpr (kDropout) {
        store(p, select(draws.template kept<Real>(first + v, dropout.threshold), power, Real(0)));
      } else {
        store(p, power);
      }
    }
  };
  const Index seen = std::min(tile.diagonal, reach);
  for_keys<kDropout>(dropout, 0, seen,
                     [&](Index key, const auto& draws) { raise_to_power(key, 0, draws); });
  for_keys<kDropout>(dropout, seen, reach, [&](Index key, const auto& draws) {
    raise_to_power(key, first_vector(key), draws);
  });
  for (int v = 0; v < kV; ++v) store(state.sum + begin + v * kN, total[v]);
}

template <class Real>
void scale_row(Real* row, Index width, Real factor) {
  for (Index c = 0; c < width; c += kLanes<Real>) {
    const Index n = std::min<Index>(kLanes<Real>, width - c);
    store_n(row + c, n, load_n(row + c, n) * Vec<Real>(factor));
  }
}

template <class Real>
void attend(const AttentionOptions& options, const Block<Real>& block) {
  constexpr double kLog2e = 1.4426950408889634074;
  const Index n = block.q.n;
  Drop drop = Drop::of(options, block);
  drop.group = block.first_query / kBlock;
  const bool full = options.pattern == Pattern::full;
  const Index n_keys = full ? block.k.n : std::min(block.k.n, block.first_query + n);

  Scratch scratch;
  Real* const queries = scratch.allocate<Real>(options.d_k * kBlock);
  Real* const scores = scratch.allocate<Real>(kKeyTile * kBlock);
  transpose_block(block.q, static_cast<Real>(options.scale / options.temperature * kLog2e),
                  queries);
  Softmax<Real> state;
  std::fill_n(state.max, kBlock, -kInfinity<Real>);
  std::fill_n(state.sum, kBlock, Real(0));

  for (Index j = 0; j < n_keys; j += kKeyTile) {
    const Tile tile(full, block.first_query, n, j, std::min(kKeyTile, n_keys - j));
    PartClock::enter(PartClock::Part::score);
    tile_scores(tile, part(block.k, j, tile.n_keys), queries, scores);
    PartClock::enter(PartClock::Part::normalise);
    drop.first_key = j;
    by_vectors<Real>(tile, [&](auto count, int v) {
      options.dropout > 0 ? exponentiate<count.value, true>(tile, v, drop, scores, state)
                          : exponentiate<count.value, false>(tile, v, drop, scores, state);
    });
    PartClock::enter(PartClock::Part::value);
    for (Index i = 0; j > 0 && i < n; ++i) {
      if (state.factor[i] != Real(1)) scale_row(block.y.row(i), options.d_v, state.factor[i]);
    }
    const Rows<const Real> v = part(block.v, j, tile.n_keys);
    if (j + kKeyTile < n_keys) {
      tile_by_queries(tile, scores, v, j > 0, block.y);
    } else {
      state.finish(n, static_cast<Real>(options.weight_dropout().keep_scale()));
      tile_by_queries(tile, scores, v, j > 0, block.y, TimesFactors<Real>{state.factor});
    }
  }
  PartClock::enter(PartClock::Part::other);
  if (n_keys == 0) {
    state.finish(n, Real(0));
    for (Index i = 0; i < n; ++i) std::fill_n(block.y.row(i), options.d_v, Real(0));
  }
  for (Index i = 0; i < n; ++i) block.lse[i * block.lse_stride] = state.sum[i];
}

}  // namespace

template <class Real>
void attention_tiled(const AttentionCall<Real>& call, Rows<Real> y, View<Real> lse) {
  const AttentionOptions& o = call.options;
  const AttentionRows& rows = call.rows;
  const Rows<const Real> q = call.q, k = call.k, v = call.v;
  const Index n_examples = call.n_examples();
  // Query blocks of the sequences before each one: a task is (sequence, head, block), in that
  // order.
  Scratch scratch;
  Index* const blocks_before = scratch.allocate<Index>(n_examples + 1);
  blocks_before[0] = 0;
  double scores = 0;
  for (Index e = 0; e < n_examples; ++e) {
    const Index n_q = rows.q_offsets[e + 1] - rows.q_offsets[e],
                n_k = rows.k_offsets[e + 1] - rows.k_offsets[e];
    blocks_before[e + 1] = blocks_before[e] + (n_q + kBlock - 1) / kBlock;
    scores += static_cast<double>(n_q) * static_cast<double>(n_k);
  }
  const double cost =
      static_cast<double>(o.n_heads) * scores * (0.5 + 0.02 * static_cast<double>(o.d_k + o.d_v));
  parallel_for("attention", blocks_before[n_examples] * o.n_heads, cost, [&](Index task) {
    const Index* const after =
        std::upper_bound(blocks_before, blocks_before + n_examples + 1, task,
                         [&](Index t, Index before) { return t < before * o.n_heads; });
    const Index e = after - blocks_before - 1, n_blocks = blocks_before[e + 1] - blocks_before[e];
    const Index within = task - blocks_before[e] * o.n_heads, h = within / n_blocks,
                g = h * o.n_kv_heads / o.n_heads;
    const Index first = within % n_blocks * kBlock, row = rows.q_offsets[e] + first,
                key = rows.k_offsets[e];
    const Index n = std::min(kBlock, rows.q_offsets[e + 1] - row),
                n_keys = rows.k_offsets[e + 1] - key;
    attend<Real>(o, {.q = part(q.slice(h * o.d_k, o.d_k), row, n),
                     .k = part(k.slice(g * o.d_k, o.d_k), key, n_keys),
                     .v = part(v.slice(g * o.d_v, o.d_v), key, n_keys),
                     .y = part(y.slice(h * o.d_v, o.d_v), row, n),
                     .lse = lse.data() + row * o.n_heads + h,
                     .lse_stride = o.n_heads,
                     .first_query = first,
                     .head = static_cast<std::uint32_t>(o.first_head + h),
                     .example = rows.example ? static_cast<std::uint32_t>(rows.example[e]) : 0});
  });
}

template void attention_tiled(const AttentionCall<float>&, Rows<float>, View<float>);
template void attention_tiled(const AttentionCall<double>&, Rows<double>, View<double>);

}  // namespace attune::kernels
