#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/graph_aggregate.h"
#include "kernels/graph_attention.h"
#include "tests/reference/dropout_reference.h"
#include "tests/reference/kernel_checks.h"

// Graphs for tests, and plain loops in double over their edges.
namespace attune::testing {

// Graphs packed one behind the other; edges[i] are the rows that send into row i.
struct Graphs {
  std::vector<std::int32_t> offsets{0}, example, indptr{0}, indices;

  Index n() const { return offsets.back(); }
  Index m() const { return static_cast<Index>(indices.size()); }
  Index n_examples() const { return static_cast<Index>(example.size()); }
  PackedRows pack() const { return {view(offsets), view(example), {}}; }
  PackedEdges edges() const { return {view(indptr), view(indices)}; }

  // A graph of these nodes' senders, counted from its first node.
  void add(std::int32_t id, const std::vector<std::vector<std::int32_t>>& senders) {
    const std::int32_t first = offsets.back();
    for (const auto& from : senders) {
      for (const std::int32_t j : from) indices.push_back(first + j);
      indptr.push_back(static_cast<std::int32_t>(indices.size()));
    }
    offsets.push_back(first + static_cast<std::int32_t>(senders.size()));
    example.push_back(id);
  }
  // Graph e alone.
  Graphs alone(Index e) const {
    const auto at = static_cast<std::size_t>(e);
    std::vector<std::vector<std::int32_t>> senders;
    for (std::int32_t i = offsets[at]; i < offsets[at + 1]; ++i) {
      senders.emplace_back();
      const auto row = static_cast<std::size_t>(i);
      for (std::int32_t t = indptr[row]; t < indptr[row + 1]; ++t)
        senders.back().push_back(indices[static_cast<std::size_t>(t)] - offsets[at]);
    }
    Graphs g;
    g.add(example[at], senders);
    return g;
  }

 private:
  static View<const std::int32_t> view(const std::vector<std::int32_t>& v) {
    static const std::int32_t kNothing = 0;
    return {v.empty() ? &kNothing : v.data(), {static_cast<Index>(v.size())}};
  }
};

// Graphs of these sizes with ids 11, 18, …. Nodes have 0 to 6 edges, some of them to themselves,
// some twice, in no order.
inline Graphs random_graphs(const std::vector<std::int32_t>& sizes, std::uint64_t seed = 1) {
  Graphs g;
  const Stream stream(seed);
  std::uint64_t draw = 0;
  for (const std::int32_t n : sizes) {
    std::vector<std::vector<std::int32_t>> senders(static_cast<std::size_t>(n));
    for (auto& from : senders) {
      const std::uint32_t edges = stream.below(7, draw++);
      for (std::uint32_t e = 0; e < edges; ++e)
        from.push_back(
            static_cast<std::int32_t>(stream.below(static_cast<std::uint32_t>(n), draw++)));
      if (edges == 6) from.back() = from.front();
    }
    g.add(11 + 7 * static_cast<std::int32_t>(g.n_examples()), senders);
  }
  return g;
}

// y of edge_attention, straight from its definition. z_dst is read by gatv2 alone, att_dst by gat.
inline Array<double> edge_attention_reference(const kernels::EdgeAttentionOptions& o,
                                              const Graphs& g, const Array<double>& z,
                                              const Array<double>& att_src,
                                              const Array<double>& att_dst,
                                              const Array<double>& z_dst) {
  const Index h = o.n_heads, columns = z.shape()[1], d = columns / h;
  const auto leaky = [&](double x) { return x > 0 ? x : o.slope * x; };
  Array<double> y(z.shape());
  const double keep = 1 / (1 - std::round(65536 * o.dropout.p) / 65536);
  for (Index e = 0; e < g.n_examples(); ++e) {
    const PackedRows pack = g.pack();
    for (Index i = pack.offsets[e]; i < pack.offsets[e + 1]; ++i) {
      for (Index head = 0; head < h; ++head) {
        std::vector<double> scores;
        double top = -HUGE_VAL, total = 0;
        const Index first = g.edges().indptr[i], end = g.edges().indptr[i + 1];
        for (Index t = first; t < end; ++t) {
          const Index j = g.edges().indices[t];
          double s = 0;
          for (Index c = head * d; c < (head + 1) * d; ++c) {
            s += o.score == kernels::EdgeScore::gat
                     ? att_src[c] * z[j * columns + c] + att_dst[c] * z[i * columns + c]
                     : att_src[c] * leaky(z[j * columns + c] + z_dst[i * columns + c]);
          }
          scores.push_back(o.score == kernels::EdgeScore::gat ? leaky(s) : s);
          top = std::max(top, scores.back());
        }
        for (double& s : scores) total += s = std::exp(s - top);
        for (Index t = first; t < end; ++t) {
          const Index j = g.edges().indices[t];
          if (!kept(o.dropout.stream_key, o.dropout.p, static_cast<std::uint32_t>(head),
                    static_cast<std::uint32_t>(j - pack.offsets[e]),
                    static_cast<std::uint32_t>(i - pack.offsets[e]),
                    static_cast<std::uint32_t>(pack.example[e]), o.dropout.step))
            continue;
          const double w = keep * scores[static_cast<std::size_t>(t - first)] / total;
          for (Index c = head * d; c < (head + 1) * d; ++c)
            y[i * columns + c] += w * z[j * columns + c];
        }
      }
    }
  }
  return y;
}

inline Array<double> graph_aggregate_reference(kernels::GraphReduce reduce, const Graphs& g,
                                               const Array<double>& x) {
  const Index d = x.shape()[1];
  const auto degree = [&](Index i) {
    return static_cast<double>(g.edges().indptr[i + 1] - g.edges().indptr[i]);
  };
  Array<double> y(x.shape());
  for (Index i = 0; i < g.n(); ++i) {
    for (Index t = g.edges().indptr[i]; t < g.edges().indptr[i + 1]; ++t) {
      const Index j = g.edges().indices[t];
      double w = 1;
      if (reduce == kernels::GraphReduce::mean) w = 1 / degree(i);
      if (reduce == kernels::GraphReduce::symmetric)
        w = degree(j) == 0 ? 0 : 1 / std::sqrt(degree(i) * degree(j));
      for (Index c = 0; c < d; ++c) y[i * d + c] += w * x[j * d + c];
    }
  }
  return y;
}

}  // namespace attune::testing
