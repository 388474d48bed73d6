#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "nn/model.h"
#include "tests/nn/layer_bench.h"

namespace attune {

// Graphs behind each other: edges as (from, to), in their order by `to`.
struct Graphs {
  std::vector<std::int32_t> offsets;
  std::vector<std::pair<Index, Index>> edges;

  Index n_nodes() const { return offsets.back(); }
  std::vector<Index> senders(Index to) const {
    std::vector<Index> from;
    for (const auto& [j, i] : edges)
      if (i == to) from.push_back(j);
    return from;
  }
  testing::Ids indptr() const {
    std::vector<std::int32_t> starts = {0};
    for (Index i = 0; i < n_nodes(); ++i)
      starts.push_back(starts.back() + static_cast<std::int32_t>(senders(i).size()));
    return testing::ids(starts);
  }
  testing::Ids indices() const {
    std::vector<std::int32_t> from;
    for (Index i = 0; i < n_nodes(); ++i)
      for (const Index j : senders(i)) from.push_back(static_cast<std::int32_t>(j));
    return testing::ids(from);
  }
  // Node i of a graph becomes `to[i]` of it, and edges come in another order.
  Graphs permuted(const std::vector<Index>& to, unsigned seed) const {
    Graphs other{offsets, {}};
    for (const auto& [j, i] : edges)
      other.edges.emplace_back(to[static_cast<std::size_t>(j)], to[static_cast<std::size_t>(i)]);
    std::shuffle(other.edges.begin(), other.edges.end(), std::mt19937(seed));
    return other;
  }
};

// A triangle with a tail, a self-loop and a repeated edge; nodes without edges; no nodes; one node;
// a pair that sends one way.
inline Graphs some_graphs() {
  return {{0, 5, 7, 7, 8, 10},
          {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 0}, {0, 2}, {3, 2}, {2, 3}, {3, 3}, {3, 2}, {9, 8}}};
}

// A permutation of each graph's nodes.
inline std::vector<Index> shuffled_nodes(const Graphs& graphs, unsigned seed) {
  std::vector<Index> to(static_cast<std::size_t>(graphs.n_nodes()));
  std::iota(to.begin(), to.end(), Index{0});
  std::mt19937 random(seed);
  for (std::size_t g = 0; g + 1 < graphs.offsets.size(); ++g)
    std::shuffle(to.begin() + graphs.offsets[g], to.begin() + graphs.offsets[g + 1], random);
  return to;
}

// A model on graphs whose nodes have vectors.
template <class Real>
struct GraphBench : LayerBench<Real> {
  using Array = testing::Array<Real>;

  template <class Options>
  GraphBench(const Graphs& of, const Options& given, const RowSpec& spec)
      : LayerBench<Real>(of.offsets),
        graphs(of),
        indptr(of.indptr()),
        indices(of.indices()),
        options(std::make_shared<Options>(given)),
        model(this->build([&](Registry& r) { return options->make(r, spec); })) {}

  auto forward() {
    return [this](const Pass<Real>& pass, Var x) {
      ModelInput input;
      input.values = x;
      input.edges = {indptr.view(), indices.view()};
      return (*model)(pass, input);
    };
  }
  Array logits(const Array& x) { return this->run(forward(), x).y; }

  Graphs graphs;
  testing::Ids indptr, indices;
  std::shared_ptr<const ModelOptions> options;  // which the model goes on to read
  std::unique_ptr<Model> model;
};

}  // namespace attune
