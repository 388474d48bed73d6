#include "nn/edges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace attune {
namespace {

using Ids = std::vector<std::int32_t>;
using testing::ElementsAre;

struct Graph {
  Ids indptr, indices;
  PackedEdges edges() const {
    return {View<const std::int32_t>(indptr.data(), {std::ssize(indptr)}),
            View<const std::int32_t>(indices.data(), {std::ssize(indices)})};
  }
};

Ids neighbours(const PackedEdges& edges, Index row) {
  return {edges.indices.data() + edges.indptr[row], edges.indices.data() + edges.indptr[row + 1]};
}

Graph random_graph(unsigned seed, int n, int m) {
  std::mt19937 random(seed);
  std::vector<Ids> rows(static_cast<std::size_t>(n));
  for (int t = 0; t < m; ++t)
    rows[random() % static_cast<unsigned>(n)].push_back(
        static_cast<std::int32_t>(random() % static_cast<unsigned>(n)));
  Graph graph{{0}, {}};
  for (const Ids& row : rows) {
    graph.indices.insert(graph.indices.end(), row.begin(), row.end());
    graph.indptr.push_back(static_cast<std::int32_t>(graph.indices.size()));
  }
  graph.indices.reserve(1);
  return graph;
}

// 0 isolated, 1 with a loop twice and 2 twice, 2 with 1.
const Graph kSmall{{0, 0, 4, 5}, {2, 1, 1, 2, 1}};

TEST(Edges, EveryRowGetsOneSelfLoop) {
  Arena arena;
  const PackedEdges all = with_self_loops(kSmall.edges(), arena);
  EXPECT_THAT(neighbours(all, 0), ElementsAre(0));
  EXPECT_THAT(neighbours(all, 1), ElementsAre(1, 2, 2));  // repeated edges stay
  EXPECT_THAT(neighbours(all, 2), ElementsAre(2, 1));
}

TEST(Edges, NeighboursAreASet) {
  Arena arena;
  const PackedEdges with = neighbour_sets(kSmall.edges(), true, arena);
  EXPECT_THAT(neighbours(with, 0), ElementsAre(0));
  EXPECT_THAT(neighbours(with, 1), ElementsAre(1, 2));
  EXPECT_THAT(neighbours(with, 2), ElementsAre(1, 2));
  const PackedEdges without = neighbour_sets(kSmall.edges(), false, arena);
  EXPECT_THAT(neighbours(without, 0), ElementsAre());
  EXPECT_THAT(neighbours(without, 1), ElementsAre(1, 2));  // a loop of the graph's own
  EXPECT_THAT(neighbours(without, 2), ElementsAre(1));
}

TEST(Edges, BecomeRowsOfTheirExamples) {
  Arena arena;
  const Ids offsets = {0, 1, 1, 3}, example = {7, 8, 9};
  const PackedRows rows{View<const std::int32_t>(offsets.data(), {4}),
                        View<const std::int32_t>(example.data(), {3}),
                        {}};
  const EdgeRows found = edge_rows(kSmall.edges(), rows, arena);
  EXPECT_THAT(found.rows.offsets, ElementsAre(0, 0, 0, 5));
  EXPECT_THAT(found.rows.example, ElementsAre(7, 8, 9));
  EXPECT_THAT(found.source, ElementsAre(2, 1, 1, 2, 1));
  EXPECT_THAT(found.target, ElementsAre(1, 1, 1, 1, 2));
}

TEST(Edges, LineGraphJoinsEdgesThatShareANode) {
  Arena arena;
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Graph graph = random_graph(seed, 1 + static_cast<int>(seed % 7), static_cast<int>(seed));
    const PackedEdges edges = graph.edges();
    std::vector<std::pair<Index, Index>> ends;  // by edge
    for (Index i = 0; i < edges.n_rows(); ++i)
      for (const std::int32_t j : neighbours(edges, i)) ends.emplace_back(j, i);
    const PackedEdges lines = line_graph(edges, arena);
    ASSERT_EQ(lines.n_rows(), std::ssize(ends));
    for (Index a = 0; a < std::ssize(ends); ++a) {
      Ids wanted;
      for (Index b = 0; b < std::ssize(ends); ++b) {
        const std::set<Index> one = {ends[static_cast<std::size_t>(a)].first,
                                     ends[static_cast<std::size_t>(a)].second};
        const auto& [j, i] = ends[static_cast<std::size_t>(b)];
        if (one.count(j) || one.count(i)) wanted.push_back(static_cast<std::int32_t>(b));
      }
      EXPECT_EQ(neighbours(lines, a), wanted) << "seed " << seed << " edge " << a;
    }
  }
}

TEST(Edges, OfNoRowsAreNone) {
  Arena arena;
  const Graph empty{{0}, {}};
  EXPECT_EQ(with_self_loops(empty.edges(), arena).n_entries(), 0);
  EXPECT_EQ(neighbour_sets(empty.edges(), true, arena).n_entries(), 0);
  EXPECT_EQ(line_graph(empty.edges(), arena).n_rows(), 0);
}

}  // namespace
}  // namespace attune
