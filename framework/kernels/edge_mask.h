#pragma once

#include <algorithm>

#include "kernels/dropout_cells.h"
#include "kernels/graph_attention.h"
#include "kernels/lanes.h"
#include "kernels/packed_rows.h"
#include "tensor/arena.h"

namespace attune::kernels {

// Which weights of edges dropout drops.
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
  bool drops() const { return threshold_ != 0; }

  // Of the edges into rows [begin, end), weights [edges, n_heads]: turns the signs of those that
  // are dropped, and writes the factors that all stand for, w / (1 − p̂) or 0.
  template <class Real>
  void apply(Index begin, Index end, Real* weights, Real* factors) const {
    const Index h = n_heads_, n = (edges_.indptr[end] - edges_.indptr[begin]) * h;
    Scratch scratch;
    auto* draws = scratch.allocate<std::uint32_t>(whole_draws(n));
    if (h % kPhiloxLanes == 0) {
      draw_by_edges(begin, end, draws, scratch);
    } else {
      draw_by_cells(begin, end, draws, scratch);
    }
    const Vec<Real> keep = static_cast<Real>(options_.keep_scale());
    for_lanes<Real>(n, [&](Index t, auto lanes) {
      const Vec<Real> w = lanes.load(weights + t);
      const Mask<Real> kept = kept_draws<Real>(draws + t, threshold_);
      lanes.store(weights + t, select(kept, w, -w));
      lanes.store(factors + t, select(kept, w * keep, Vec<Real>(0)));
    });
  }

 private:
  // The draws [edges, n_heads] of the edges into rows [begin, end).
  void draw_by_cells(Index begin, Index end, std::uint32_t* draws, Scratch& scratch) const {
    const Index n = (edges_.indptr[end] - edges_.indptr[begin]) * n_heads_;
    std::int32_t* numbers[4];  // of each cell; zeros fill the room behind them
    for (std::int32_t*& of_cells : numbers) {
      of_cells = scratch.allocate<std::int32_t>(whole_draws(n));
      std::fill(of_cells + n, of_cells + whole_draws(n), 0);
    }
    const auto [head, sender, receiver, example] = numbers;
    Index t = 0;
    const std::int32_t *indptr = edges_.indptr.data(), *indices = edges_.indices.data();
    for (Index i = begin; i < end; ++i) {
      const std::int32_t to = place_[i], of_example = example_[i];
      for (Index e = indptr[i]; e < indptr[i + 1]; ++e) {
        const std::int32_t from = place_[indices[e]];
        for (Index c = 0; c < n_heads_; ++c, ++t) {
          head[t] = static_cast<std::int32_t>(c);
          sender[t] = from;
          receiver[t] = to;
          example[t] = of_example;
        }
      }
    }
    dropout_cells(
        philox_, options_.step,
        [&](Index at) {
          return DropoutCells{words_of(head + at), words_of(sender + at), words_of(receiver + at),
                              words_of(example + at)};
        },
        n, draws);
  }

  // The same where heads fill vectors. Of Philox's first three rounds each half depends on the
  // receiver and its heads or on the sender alone, but for one product, and what depends on one of
  // them is computed once for it: with {c0, c1, c2, c3} = {head | column, sender, example, step},
  //   round 1  c0 ← hi(example · m1) ^ sender      c2, c3 of the receiver
  //   round 2  p0 = c0 · m0 of the sender          p1 = c2 · m1 of the receiver, so are c0, c1
  //   round 3  p0 = c0 · m0 of the receiver        p1 = c2 · m1 of both
  struct Receiver {
    Words c2, c0, last_c2, c3;  // what rounds 2 and 3 mix with what is the sender's
  };
  void draw_by_edges(Index begin, Index end, std::uint32_t* draws, Scratch& scratch) const {
    const Index first = edges_.indptr[begin], n_edges = edges_.indptr[end] - first,
                vectors = n_heads_ / kPhiloxLanes;
    auto* receivers = scratch.allocate<Receiver>((end - begin) * vectors);
    auto* sender = scratch.allocate<std::uint64_t>(n_edges);  // round 2's p0
    auto* row = scratch.allocate<std::int32_t>(n_edges);
    const auto& [m0, m1] = kPhiloxFactors;
    Words lanes;
    for (int i = 0; i < kPhiloxLanes; ++i) lanes[i] = static_cast<std::uint64_t>(i);
    for (Index i = begin; i < end; ++i) {
      const auto column = static_cast<std::uint32_t>(place_[i]);
      const std::uint64_t p1 = std::uint64_t{m1} * static_cast<std::uint32_t>(example_[i]);
      for (Index v = 0; v < vectors; ++v) {
        const Words head = lanes + static_cast<std::uint64_t>(v * kPhiloxLanes);
        const Words p0 =
            detail::multiply_low(head << 20 | (column >> 6 << 3 | (column >> 1 & 7)), Words{} + m0);
        const Words c2 = (p0 >> 32) ^ (options_.step ^ philox_.second[0]);
        const Words second_p1 = detail::multiply_low(c2, Words{} + m1);
        const Words second_c0 = (second_p1 >> 32) ^ (p1 ^ philox_.first[1]);
        const Words third_p0 = detail::multiply_low(second_c0, Words{} + m0);
        receivers[(i - begin) * vectors + v] = {p0 ^ philox_.second[1],
                                                second_p1 ^ philox_.first[2],
                                                (third_p0 >> 32) ^ philox_.second[2], third_p0};
      }
      for (Index e = edges_.indptr[i]; e < edges_.indptr[i + 1]; ++e) {
        const auto c0 = static_cast<std::uint32_t>(
            p1 >> 32 ^ static_cast<std::uint32_t>(place_[edges_.indices[e]]) ^ philox_.first[0]);
        sender[e - first] = std::uint64_t{m0} * c0;
        row[e - first] = static_cast<std::int32_t>(i - begin);
      }
    }
    const Index n = n_edges * vectors;
    for (Index t = 0; t < n; t += kPhiloxAtOnce) {
      PhiloxCounters counters[kPhiloxAtOnce];
      std::uint32_t column[kPhiloxAtOnce];
#pragma GCC unroll 4
      for (int k = 0; k < kPhiloxAtOnce; ++k) {
        const Index at = std::min(t + k, n - 1), e = vectors == 1 ? at : at / vectors;
        const Receiver& to = receivers[row[e] * vectors + (vectors == 1 ? 0 : at % vectors)];
        const Words p0 = Words{} + sender[e];
        const Words p1 = detail::multiply_low((p0 >> 32) ^ to.c2, Words{} + m1);
        counters[k] = {(p1 >> 32) ^ to.c0, p1, p0 ^ to.last_c2, to.c3};
        column[k] = static_cast<std::uint32_t>(place_[begin + row[e]]);
      }
      philox_rounds<kPhiloxAtOnce, 3>(philox_, counters);
      for (int k = 0; k < kPhiloxAtOnce && t + k < n; ++k)
        store_draws(counters[k], column[k], draws + (t + k) * kPhiloxLanes);
    }
  }

  // Of an instance that ends so, the draws of one column.
  static void store_draws(const PhiloxCounters& end, std::uint32_t column, std::uint32_t* draws) {
    typedef std::uint32_t Halves __attribute__((vector_size(kVectorBytes / 2)));
    const Words words[] = {end.c0, end.c1, end.c2, end.c3};
    const Words draw = words[2 * (column >> 5 & 1) + (column & 1)] >> (column & 16) & 0xFFFF;
    const Halves halves = __builtin_convertvector(draw, Halves);
    __builtin_memcpy(draws, &halves, sizeof(halves));
  }

  DropoutOptions options_;
  PhiloxKeys philox_;
  Index n_heads_;
  std::uint32_t threshold_;
  PackedEdges edges_;
  View<std::int32_t> example_, place_;  // of nodes
};

}  // namespace attune::kernels
