#pragma once

#include <algorithm>

#include "kernels/attention/head.h"
#include "kernels/dropout.h"
#include "kernels/lanes.h"
#include "kernels/micro_kernel.h"
#include "kernels/philox_simd.h"
#include "kernels/simd.h"
#include "tensor/arena.h"

// What attention's forward and backward share. The score matrix is visited in tiles of kBlock
// queries by some keys, held transposed, [keys][kBlock]: lanes are queries, so that the softmax
// needs no horizontal sum. Nothing here allocates.
namespace attune::kernels {

// Queries of a tile. As many as a group of DropoutDraws, whatever the width of a vector.
inline constexpr Index kBlock = 64;
// The triangle of a causal tile is visited in strips of 16 by 16, the widest vector.
inline constexpr Index kStrip = 16;
// In products whose rows, not lanes, are the triangle's, it is visited in strips of so many rows:
// half as wide, a tenth less work, and still whole tiles of the micro-kernel.
inline constexpr Index kRowStrip = 8;

static_assert(kBlock == DropoutDraws::kColumns);

// The part of the score matrix that is being worked on. Local query i sees local key j iff j ≤ i +
// diagonal; where all is visible diagonal = n_keys. In a causal tile it is a multiple of kBlock,
// since tiles begin at multiples.
struct Tile {
  Index n_queries, n_keys, diagonal;

  Tile(bool full, Index first_query, Index n_queries_, Index first_key, Index n_keys_)
      : n_queries(n_queries_),
        n_keys(n_keys_),
        diagonal(full ? n_keys_ : std::min(n_keys_, first_query - first_key)) {}

  // Vectors of queries, the last one padded.
  template <class Real>
  Index vectors() const {
    return (n_queries + kLanes<Real> - 1) / kLanes<Real>;
  }
  // Keys that any query of the strip around query i sees: those that are computed for it.
  Index reach(Index i) const { return std::min(n_keys, diagonal + (i / kStrip + 1) * kStrip); }
  // First query of the strip of queries that see key j.
  Index first_seer(Index j) const { return j < diagonal ? 0 : (j - diagonal) / kStrip * kStrip; }
  // Of the vectors of queries from `begin` on, the first that has a query in a strip that sees key
  // j.
  template <class Real>
  Index first_vector(Index j, Index begin) const {
    return j < diagonal ? 0 : std::max<Index>(first_seer(j) - begin, 0) / kLanes<Real>;
  }
  // Keys that query i sees.
  Index seen(Index i) const { return std::min(n_keys, diagonal + i + 1); }
};

// What dropout needs to know of a block of queries and a tile of keys.
struct Drop {
  PhiloxKeys key;
  std::uint32_t head, example, step, threshold;
  Index group = 0, first_key = 0;

  template <class Head>
  static Drop of(const AttentionOptions& o, const Head& head) {
    const DropoutOptions dropout = o.weight_dropout();
    return {PhiloxKeys(o.stream_key), head.head, head.example, o.step, dropout.threshold()};
  }
  DropoutDraws::Place place(Index key_of_tile) const {
    return {head, static_cast<std::uint32_t>(first_key + key_of_tile), example, step, group};
  }
};

// f(key, its draws) for the keys [begin, end) of a tile, draws of a few keys made side by side;
// without dropout they are nothing.
template <bool kDropout, class F>
inline void for_keys(const Drop& drop, Index begin, Index end, const F& f) {
  struct NoDraws {};
  Index j = begin;
  if constexpr (kDropout) {
    for (; j + kPhiloxAtOnce <= end; j += kPhiloxAtOnce) {
      DropoutDraws draws[kPhiloxAtOnce];
      DropoutDraws::make(
          drop.key, [&](int i) { return drop.place(j + i); }, draws);
      for (int i = 0; i < kPhiloxAtOnce; ++i) f(j + i, draws[i]);
    }
    for (; j < end; ++j) f(j, DropoutDraws(drop.key, drop.place(j)));
  } else {
    for (; j < end; ++j) f(j, NoDraws{});
  }
}

// f(Fixed<n>, v) for every four vectors of the tile's queries, or those that are left: n of them
// from the v-th on. Their sums are in registers then.
template <class Real, class F>
void by_vectors(const Tile& tile, F&& f) {
  const auto vectors = static_cast<int>(tile.vectors<Real>());
  for (int v = 0; v < vectors; v += 4) {
    switch (std::min(vectors - v, 4)) {
      case 4:
        f(Fixed<4>{}, v);
        break;
      case 3:
        f(Fixed<3>{}, v);
        break;
      case 2:
        f(Fixed<2>{}, v);
        break;
      default:
        f(Fixed<1>{}, v);
    }
  }
}

// rows [n ≤ kBlock][width] as [width][kBlock] times `factor`; lanes from n up to a whole vector are
// 0.
template <class Real>
void transpose_block(Rows<const Real> rows, Real factor, Real* out) {
  constexpr Index kN = kLanes<Real>;
  for (Index i = 0; i < rows.n; i += kN) {
    for (Index c = 0; c < rows.width; c += kN) {
      const Index columns = std::min(kN, rows.width - c);
      Vec<Real> square[kLanes<Real>];
#pragma GCC unroll 16
      for (Index r = 0; r < kN; ++r) {
        square[r] = i + r < rows.n ? load_n(rows.row(i + r) + c, columns) : Vec<Real>(Real(0));
      }
      transpose(square);
#pragma GCC unroll 16
      for (Index r = 0; r < kN; ++r) {
        if (r < columns) store(out + (c + r) * kBlock + i, square[r] * Vec<Real>(factor));
      }
    }
  }
}

template <class Real>
bool all_finite(Rows<const Real> rows) {
  constexpr Index kChains = 4;  // side by side
  Vec<Real> zero[kChains] = {Real(0), Real(0), Real(0), Real(0)};
  for_lanes<Real>(rows.width, [&](Index c, auto lanes) {
    const auto see = [&](Index i, Vec<Real>& chain) {
      chain = fma(lanes.load(rows.row(i) + c), Vec<Real>(Real(0)), chain);
    };
    Index i = 0;
    for (; i + kChains <= rows.n; i += kChains)
      for (Index r = 0; r < kChains; ++r) see(i + r, zero[r]);
    for (; i < rows.n; ++i) see(i, zero[0]);
  });
  return sum((zero[0] + zero[1]) + (zero[2] + zero[3])) == Real(0);
}

// scores[j][i] = keys_j · queries_i for the visible part of the tile, in whole vectors and strips.
//   keys [n_keys][width], queries [width][kBlock], scores [n_keys][kBlock]
template <class Real>
void tile_scores(const Tile& tile, Rows<const Real> keys, const Real* queries, Real* scores) {
  const Index columns = tile.vectors<Real>() * kLanes<Real>;
  const auto zeros = operand(static_cast<const Real*>(nullptr), Fixed<0>{});
  const auto run = [&](Index j, Index n, Index i) {
    multiply<Real>(n, columns - i, keys.width, operand(keys.row(j), keys.stride),
                   operand(queries + i, Fixed<kBlock>{}), zeros,
                   operand(scores + j * kBlock + i, Fixed<kBlock>{}));
  };
  run(0, tile.diagonal, 0);
  for (Index j = tile.diagonal; j < tile.n_keys; j += kStrip) {
    const Index i = tile.first_seer(j);
    if (i < columns) run(j, std::min(kStrip, tile.n_keys - j), i);
  }
}

// out_i = finish(0 or out_i + Σ_j weights[j][i] rows_j) over the keys j that query i sees; other
// weights of a strip must be 0. Where the rows of the triangle hold a NaN or an infinity, 0 · NaN
// is avoided by going row by row: the same chains, shorter.
template <class Real, class Finish = AsItIs>
void tile_by_queries(const Tile& tile, const Real* weights, Rows<const Real> rows, bool add,
                     Rows<Real> out, Finish finish = {}) {
  const auto run = [&](Index i, Index n, Index n_keys) {
    const auto to = operand(out.row(i), out.stride);
    multiply<Real>(n, out.width, n_keys, operand(weights + i, Fixed<1>{}, Fixed<kBlock>{}),
                   operand(rows.data, rows.stride),
                   operand(add ? static_cast<const Real*>(to.data) : nullptr, out.stride), to,
                   finish.shifted(i));
  };
  if (tile.diagonal == tile.n_keys) return run(0, tile.n_queries, tile.n_keys);
  const Index step =
      all_finite(part(rows, tile.diagonal, tile.n_keys - tile.diagonal)) ? kRowStrip : 1;
  for (Index i = 0; i < tile.n_queries; i += step)
    run(i, std::min(step, tile.n_queries - i), tile.seen(i + step - 1));
}

// out_j (= or +=) Σ_i weights[j][i] rows_i over the queries i that see key j; the same care for
// NaN. Every key of a tile on the diagonal has a query that sees it.
template <class Real>
void tile_by_keys(const Tile& tile, const Real* weights, Rows<const Real> rows, bool add,
                  Rows<Real> out) {
  const auto run = [&](Index j, Index n, Index i) {
    const auto to = operand(out.row(j), out.stride);
    multiply<Real>(n, out.width, tile.n_queries - i,
                   operand(weights + j * kBlock + i, Fixed<kBlock>{}),
                   operand(rows.row(i), rows.stride),
                   operand(add ? static_cast<const Real*>(to.data) : nullptr, out.stride), to);
  };
  run(0, tile.diagonal, 0);
  if (tile.diagonal == tile.n_keys) return;
  const Index step = all_finite(part(rows, 0, tile.n_queries)) ? kRowStrip : 1;
  for (Index j = tile.diagonal; j < tile.n_keys && j - tile.diagonal < tile.n_queries; j += step)
    run(j, std::min(step, tile.n_keys - j), j - tile.diagonal);
}

}  // namespace attune::kernels
