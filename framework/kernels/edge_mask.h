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
    // Places of edges, where every vector of draws is of one edge; else of each cell.
    const bool by_edges = h % kPhiloxLanes == 0 && (h & (h - 1)) == 0;
    const Places places(*this, begin, end, by_edges ? 1 : h, whole_draws(n), scratch);
    if (by_edges) {
      const int log = __builtin_ctzll(static_cast<std::uint64_t>(h));
      Words lanes;
      for (int i = 0; i < kPhiloxLanes; ++i) lanes[i] = static_cast<std::uint64_t>(i);
      dropout_cells(
          philox_, options_.step,
          [&](Index t) {
            const Index e = t >> log;
            const auto all = [](std::int32_t place) {
              return Words{} + static_cast<std::uint32_t>(place);
            };
            return DropoutCells{lanes + static_cast<std::uint64_t>(t & (h - 1)),
                                all(places.sender[e]), all(places.receiver[e]),
                                all(places.example[e])};
          },
          n, draws);
    } else {
      dropout_cells(
          philox_, options_.step,
          [&](Index t) {
            return DropoutCells{words_of(places.head + t), words_of(places.sender + t),
                                words_of(places.receiver + t), words_of(places.example + t)};
          },
          n, draws);
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
  // Of the edges into rows [begin, end), `times` each: the nodes' places in their example, the
  // example, and 0 … times − 1; zeros fill the room behind them.
  struct Places {
    std::int32_t *sender, *receiver, *example, *head;

    Places(const EdgeMask& mask, Index begin, Index end, Index times, Index room,
           Scratch& scratch) {
      for (std::int32_t** numbers : {&sender, &receiver, &example, &head}) {
        *numbers = scratch.allocate<std::int32_t>(room);
      }
      Index t = 0;
      for (Index i = begin; i < end; ++i) {
        const std::int32_t to = mask.place_[i], of_example = mask.example_[i];
        for (Index e = mask.edges_.indptr[i]; e < mask.edges_.indptr[i + 1]; ++e) {
          const std::int32_t from = mask.place_[mask.edges_.indices[e]];
          for (Index c = 0; c < times; ++c, ++t) {
            sender[t] = from;
            receiver[t] = to;
            example[t] = of_example;
            head[t] = static_cast<std::int32_t>(c);
          }
        }
      }
      for (std::int32_t* numbers : {sender, receiver, example, head}) {
        std::fill(numbers + t, numbers + room, 0);
      }
    }
  };

  DropoutOptions options_;
  PhiloxKeys philox_;
  Index n_heads_;
  std::uint32_t threshold_;
  PackedEdges edges_;
  View<std::int32_t> example_, place_;  // of nodes
};

}  // namespace attune::kernels
