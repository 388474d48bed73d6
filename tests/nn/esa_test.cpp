#include "nn/esa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nn/graph_bench.h"
#include "tests/nn/plain_layers.h"

namespace attune {
namespace {

using ::testing::HasSubstr;
using testing::PlainLayers;
using testing::Row;
using testing::Rows;

constexpr Index kWidth = 3, kClasses = 4;

RowSpec graphs_of(bool node_targets) {
  RowSpec spec{RowSpec::Kind::vectors, kWidth, 0, kClasses, node_targets, 20};
  spec.edges = true;
  return spec;
}

EsaOptions small(const std::string& layers, EsaOptions::Tokens tokens = EsaOptions::Tokens::edges) {
  EsaOptions o;
  o.d_model = 8;
  o.n_heads = 2;
  o.mlp_ratio = 2;
  o.layers = layers;
  o.tokens = tokens;
  return o;
}

// A pre-norm block in which row i sees the rows seen[i].
Rows masked_block(const PlainLayers& plain, const Rows& x,
                  const std::vector<std::vector<Index>>& seen, const std::string& path) {
  const Rows in = plain.norm(x, path + ".norm1");
  Rows y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Rows memory;
    for (const Index j : seen[i]) memory.push_back(in[static_cast<std::size_t>(j)]);
    y.push_back(testing::plus(x[i], plain.attention({in[i]}, memory, path + ".attention", 2)[0]));
  }
  return testing::plus(y, plain.mlp(plain.norm(y, path + ".norm2"), path + ".mlp"));
}

// By hand: a row an edge, edges that share a node see each other, then all do, then one seed pools.
TEST(Esa, IsMaskedAndPlainBlocksOverEdgesAndThenPooling) {
  const Graphs graphs{{0, 4}, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 3}, {3, 3}}};
  GraphBench<double> bench(graphs, small("MSP"), graphs_of(false));
  const auto x = testing::Array<double>::random({4, kWidth}, 3);
  const PlainLayers plain(bench);
  const Rows nodes = testing::taken(x, 0, 4);
  Rows rows;
  std::vector<std::pair<Index, Index>> ends;  // in the order of the rows: by target
  for (Index i = 0; i < 4; ++i)
    for (const Index j : graphs.senders(i)) {
      ends.emplace_back(j, i);
      rows.push_back(testing::plus(plain.linear(nodes[static_cast<std::size_t>(j)],
                                                "source.input.weight", "source.input.bias"),
                                   plain.linear(nodes[static_cast<std::size_t>(i)],
                                                "target.input.weight", "target.input.bias")));
    }
  std::vector<std::vector<Index>> sharing(ends.size()), all(ends.size());
  for (std::size_t a = 0; a < ends.size(); ++a)
    for (std::size_t b = 0; b < ends.size(); ++b) {
      const bool share = ends[a].first == ends[b].first || ends[a].first == ends[b].second ||
                         ends[a].second == ends[b].first || ends[a].second == ends[b].second;
      if (share) sharing[a].push_back(static_cast<Index>(b));
      all[a].push_back(static_cast<Index>(b));
    }
  rows = masked_block(plain, rows, sharing, "encoder.block0");
  rows = masked_block(plain, rows, all, "encoder.block1");
  rows = plain.norm(rows, "encoder.norm");
  const Row seed = plain.table("pool.seeds")[0];
  const Row h = plain.norm(testing::plus(seed, plain.attention({seed}, plain.mlp(rows, "pool.feed"),
                                                               "pool.attention", 2)[0]),
                           "pool.norm1");
  const Row pooled = plain.norm(testing::plus(h, plain.mlp(h, "pool.mlp")), "pool.norm2");
  const Row wanted = plain.linear(pooled, "head.weight", "head.bias");
  const auto found = bench.logits(x);
  for (Index c = 0; c < kClasses; ++c)
    EXPECT_NEAR(found[c], wanted[static_cast<std::size_t>(c)], 1e-12);
}

TEST(Esa, GradientsMatchCentralDifferences) {
  for (const char* layers : {"MMSP", "SPS", "MP"}) {
    EsaOptions o = small(layers);
    o.n_seeds = 2;
    o.dropout = 0.2;
    o.attention.dropout = 0.2;
    GraphBench<double> bench(some_graphs(), o, graphs_of(false));
    expect_gradients(bench, bench.forward(), kWidth);
  }
  GraphBench<double> nodes(some_graphs(), small("MMS", EsaOptions::Tokens::nodes), graphs_of(true));
  expect_gradients(nodes, nodes.forward(), kWidth);
}

template <class Real>
void expect_permutations_to_change_nothing(double bound) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    const Graphs graphs = some_graphs();
    const std::vector<Index> to = shuffled_nodes(graphs, seed);
    const Graphs other = graphs.permuted(to, seed);
    const auto x = testing::Array<Real>::random({graphs.n_nodes(), kWidth}, 3);
    testing::Array<Real> moved(x.shape());
    for (Index i = 0; i < graphs.n_nodes(); ++i)
      std::copy_n(x.view().row(i), kWidth, moved.view().row(to[static_cast<std::size_t>(i)]));
    for (const bool of_nodes : {false, true}) {
      const EsaOptions o = of_nodes ? small("MMS", EsaOptions::Tokens::nodes) : small("MMSP");
      GraphBench<Real> before(graphs, o, graphs_of(of_nodes)), after(other, o, graphs_of(of_nodes));
      const auto a = before.logits(x), b = after.logits(moved);
      for (Index i = 0; i < a.shape()[0]; ++i)
        for (Index c = 0; c < kClasses; ++c) {
          const Index place = of_nodes ? to[static_cast<std::size_t>(i)] : i;
          EXPECT_NEAR(a[i * kClasses + c], b[place * kClasses + c], bound);
        }
    }
  }
}

TEST(Esa, OrderOfNodesAndEdgesChangesNothing) {
  expect_permutations_to_change_nothing<double>(1e-13);
  expect_permutations_to_change_nothing<float>(1e-5);
}

TEST(Esa, AGraphAnswersTheSameInAnyPack) {
  const Graphs graphs = some_graphs();
  const auto x = testing::Array<float>::random({graphs.n_nodes(), kWidth}, 3);
  GraphBench<float> together(graphs, small("MMSP"), graphs_of(false));
  const auto all = together.logits(x);
  for (std::size_t g = 0; g + 1 < graphs.offsets.size(); ++g) {
    const Index begin = graphs.offsets[g], n = graphs.offsets[g + 1] - begin;
    Graphs one{{0, static_cast<std::int32_t>(n)}, {}};
    for (const auto& [j, i] : graphs.edges)
      if (i >= begin && i < begin + n) one.edges.emplace_back(j - begin, i - begin);
    testing::Array<float> own({n, kWidth});
    std::copy_n(x.view().data() + begin * kWidth, n * kWidth, own.view().data());
    GraphBench<float> alone(one, small("MMSP"), graphs_of(false));
    const auto y = alone.logits(own);
    for (Index c = 0; c < kClasses; ++c) {
      EXPECT_EQ(y[c], all[static_cast<Index>(g) * kClasses + c]) << "graph " << g;
      EXPECT_TRUE(std::isfinite(y[c]));
    }
  }
  // Graphs without edges are all the same to it.
  for (Index c = 0; c < kClasses; ++c) EXPECT_EQ(all[kClasses + c], all[2 * kClasses + c]);
}

TEST(Esa, RefusesWhatItCannotRead) {
  const auto why = [](const EsaOptions& o, const RowSpec& spec) {
    const auto misfit = o.misfit(spec);
    return misfit ? misfit->message : "";
  };
  RowSpec edgeless = graphs_of(false);
  edgeless.edges = false;
  EXPECT_THAT(why(small("MMSP"), edgeless), HasSubstr("no edges"));
  EXPECT_THAT(why(small("MMSP"), graphs_of(true)), HasSubstr("nodes have targets"));
  EXPECT_THAT(why(small("MMS"), graphs_of(false)), HasSubstr("graphs have targets"));
  EXPECT_EQ(why(small("MMSP"), graphs_of(false)), "");
  EXPECT_EQ(why(small("MS", EsaOptions::Tokens::nodes), graphs_of(true)), "");
  for (const char* layers : {"", "MX", "MPSP", "MPM"}) {
    EsaOptions o = small(layers);
    FieldList fields;
    o.fields(fields);
    const bool told = std::any_of(fields.rules().begin(), fields.rules().end(),
                                  [](const auto& rule) { return rule().has_value(); });
    EXPECT_TRUE(told) << layers;
  }
}

}  // namespace
}  // namespace attune
