#include "nn/gnn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "nn/perceptron.h"
#include "tests/nn/graph_bench.h"
#include "tests/nn/plain_layers.h"

namespace attune {
namespace {

using ::testing::HasSubstr;
using testing::PlainLayers;
using testing::plus;
using testing::Row;
using testing::Rows;
using Kind = GraphLayerOptions::Kind;

constexpr Index kWidth = 5, kClasses = 3;
constexpr Kind kKinds[] = {Kind::gat, Kind::gatv2, Kind::constant, Kind::gcn, Kind::gin};

RowSpec graphs_of(bool node_targets) {
  RowSpec spec{RowSpec::Kind::vectors, kWidth, 0, kClasses, node_targets, 20};
  spec.edges = true;
  return spec;
}

GnnOptions small(Kind kind) {
  GnnOptions o;
  o.layers.kind = kind;
  o.layers.n_heads = 2;
  o.layers.d_head = 3;
  o.output_heads = 2;
  return o;
}

double leaky(double x) { return x > 0 ? x : 0.2 * x; }

// The layers by hand: a node's neighbours one after the other, head by head.
class PlainGnn {
 public:
  PlainGnn(GraphBench<double>& bench, bool self_loops) : bench_(bench), plain_(bench) {
    for (Index i = 0; i < bench.graphs.n_nodes(); ++i) {
      neighbours_.push_back(bench.graphs.senders(i));
      if (!self_loops) continue;
      std::erase(neighbours_.back(), i);
      neighbours_.back().push_back(i);
    }
  }

  Rows layer(const Rows& x, Kind kind, Index number, std::size_t heads, bool hidden) const {
    const std::string n = std::to_string(number);
    Rows y = kind == Kind::gcn   ? gcn(x, "gcn" + n)
             : kind == Kind::gin ? gin(x, "gin" + n)
                                 : attended(x, "gat" + n, kind, heads, hidden);
    if (hidden)
      for (Row& row : y)
        for (double& v : row) v = v > 0 ? v : std::expm1(v);
    return y;
  }

 private:
  Row map(const Row& x, const std::string& weight) const {
    const View<double> w = bench_.value(weight);
    Row y(static_cast<std::size_t>(w.dim(0)));
    for (Index i = 0; i < w.dim(0); ++i)
      for (Index j = 0; j < w.dim(1); ++j)
        y[static_cast<std::size_t>(i)] += w(i, j) * x[static_cast<std::size_t>(j)];
    return y;
  }
  Row bias(const std::string& name) const {
    const View<double> b = bench_.value(name);
    return Row(b.begin(), b.end());
  }
  std::size_t degree(std::size_t i) const { return neighbours_[i].size(); }

  Rows gcn(const Rows& x, const std::string& path) const {
    Rows y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      Row sum = bias(path + ".bias");
      for (const Index j : neighbours_[i]) {
        const auto from = static_cast<std::size_t>(j);
        const double d = static_cast<double>(degree(i) * degree(from));
        Row z = map(x[from], path + ".weight");
        for (double& v : z) v *= d > 0 ? 1 / std::sqrt(d) : 0;
        sum = plus(sum, z);
      }
      y.push_back(sum);
    }
    return y;
  }
  Rows gin(const Rows& x, const std::string& path) const {
    Rows y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      Row sum = x[i];
      for (double& v : sum) v *= bench_.value(path + ".self")[0];
      for (const Index j : neighbours_[i]) sum = plus(sum, x[static_cast<std::size_t>(j)]);
      Row hidden = plain_.linear(sum, path + ".w1", path + ".b1");
      for (double& v : hidden) v = std::max(v, 0.0);
      y.push_back(plain_.linear(hidden, path + ".w2", path + ".b2"));
    }
    return y;
  }
  double score(const Row& from, const Row& to, const std::string& path, Kind kind,
               std::size_t head) const {
    if (kind == Kind::constant) return 0;
    const Row src = plain_.table(path + ".att_src")[head];
    const std::size_t d = src.size();
    double s = 0;
    for (std::size_t c = 0; c < d; ++c) {
      if (kind == Kind::gatv2) s += src[c] * leaky(from[head * d + c] + to[head * d + c]);
      if (kind == Kind::gat)
        s += src[c] * from[head * d + c] +
             plain_.table(path + ".att_dst")[head][c] * to[head * d + c];
    }
    return kind == Kind::gat ? leaky(s) : s;
  }
  Rows attended(const Rows& x, const std::string& path, Kind kind, std::size_t heads,
                bool hidden) const {
    Rows y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Row to = map(x[i], path + (kind == Kind::gatv2 ? ".weight_dst" : ".weight"));
      Row all(to.size());
      const std::size_t d = to.size() / heads;
      for (std::size_t h = 0; h < heads; ++h) {
        double total = 0;
        Row sum(d);
        for (const Index j : neighbours_[i]) {
          const Row from = map(x[static_cast<std::size_t>(j)], path + ".weight");
          const double w = std::exp(score(from, to, path, kind, h));
          total += w;
          for (std::size_t c = 0; c < d; ++c) sum[c] += w * from[h * d + c];
        }
        for (std::size_t c = 0; c < d && total > 0; ++c) all[h * d + c] = sum[c] / total;
      }
      if (!hidden) {
        Row mean(d);
        for (std::size_t k = 0; k < all.size(); ++k)
          mean[k % d] += all[k] / static_cast<double>(heads);
        all = mean;
      }
      y.push_back(plus(all, bias(path + ".bias")));
    }
    return y;
  }

  GraphBench<double>& bench_;
  PlainLayers plain_;
  std::vector<std::vector<Index>> neighbours_;
};

void expect_equal(const testing::Array<double>& found, const Rows& wanted) {
  ASSERT_EQ(found.shape()[0], std::ssize(wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    for (std::size_t c = 0; c < wanted[i].size(); ++c)
      EXPECT_NEAR(found[static_cast<Index>(i * wanted[i].size() + c)], wanted[i][c], 1e-12)
          << "row " << i;
}

TEST(Gnn, OfNodesIsItsLayersByHand) {
  for (const Kind kind : kKinds) {
    for (const bool loops : {true, false}) {
      GnnOptions o = small(kind);
      o.layers.self_loops = loops;
      const Graphs graphs = some_graphs();
      GraphBench<double> bench(graphs, o, graphs_of(true));
      const auto x = testing::Array<double>::random({graphs.n_nodes(), kWidth}, 3);
      const PlainGnn plain(bench, loops && kind != Kind::gin);
      Rows rows = testing::taken(x, 0, graphs.n_nodes());
      rows = plain.layer(rows, kind, 0, 2, true);
      expect_equal(bench.logits(x), plain.layer(rows, kind, 1, 2, false));
    }
  }
}

TEST(Gnn, OfGraphsPoolsTheNodesAndMapsThem) {
  for (const Kind kind : kKinds) {
    for (const auto pool : {GnnOptions::Pool::mean, GnnOptions::Pool::sum}) {
      GnnOptions o = small(kind);
      o.pool = pool;
      o.d_embed = 4;
      const Graphs graphs = some_graphs();
      GraphBench<double> bench(graphs, o, graphs_of(false));
      const auto x = testing::Array<double>::random({graphs.n_nodes(), kWidth}, 3);
      const PlainGnn plain(bench, kind != Kind::gin);
      const PlainLayers layers(bench);
      Rows rows =
          layers.linear(testing::taken(x, 0, graphs.n_nodes()), "input.weight", "input.bias");
      for (const Index i : {0, 1}) rows = plain.layer(rows, kind, i, 2, true);
      Rows wanted;
      for (std::size_t g = 0; g + 1 < graphs.offsets.size(); ++g) {
        const Rows own(rows.begin() + graphs.offsets[g], rows.begin() + graphs.offsets[g + 1]);
        Row pooled = own.empty() ? Row(6) : testing::mean_of(own, 6);
        if (pool == GnnOptions::Pool::sum)
          for (double& v : pooled) v *= static_cast<double>(own.size());
        wanted.push_back(layers.linear(pooled, "head.weight", "head.bias"));
      }
      expect_equal(bench.logits(x), wanted);
    }
  }
}

TEST(Gnn, ALinearHeadMayAnswerOfNodes) {
  GnnOptions o = small(Kind::gatv2);
  o.n_layers = 1;
  o.head = GnnOptions::Head::linear;
  const Graphs graphs = some_graphs();
  GraphBench<double> bench(graphs, o, graphs_of(true));
  const auto x = testing::Array<double>::random({graphs.n_nodes(), kWidth}, 3);
  const Rows rows =
      PlainGnn(bench, true).layer(testing::taken(x, 0, graphs.n_nodes()), Kind::gatv2, 0, 2, true);
  expect_equal(bench.logits(x), PlainLayers(bench).linear(rows, "head.weight", "head.bias"));
}

TEST(Gnn, GradientsMatchCentralDifferences) {
  for (const Kind kind : kKinds) {
    for (const bool of_nodes : {true, false}) {
      GnnOptions o = small(kind);
      // A row that is dropped whole is 0, where LayerNorm bends too sharply for differences.
      o.layers.norm = !of_nodes;
      if (of_nodes) o.layers.dropout = 0.3;
      if (of_nodes && (kind == Kind::gat || kind == Kind::gatv2)) o.layers.attention_dropout = 0.3;
      GraphBench<double> bench(some_graphs(), o, graphs_of(of_nodes));
      expect_gradients(bench, bench.forward(), kWidth);
    }
  }
}

// Sparse features are the dense ones: the same logits, and the same of them dropped.
TEST(Gnn, SparseFeaturesAreTheDenseOnes) {
  const Graphs graphs = some_graphs();
  auto x = testing::Array<double>::random({graphs.n_nodes(), kWidth}, 3);
  std::vector<std::int32_t> indptr = {0}, columns;
  std::vector<double> values;
  for (Index i = 0; i < graphs.n_nodes(); ++i) {
    for (Index j = 0; j < kWidth; ++j) {
      if ((i * 3 + j) % 2 == 0) x[i * kWidth + j] = 0;
      if (x[i * kWidth + j] == 0) continue;
      columns.push_back(static_cast<std::int32_t>(j));
      values.push_back(x[i * kWidth + j]);
    }
    indptr.push_back(static_cast<std::int32_t>(columns.size()));
  }
  const testing::Ids starts = testing::ids(indptr), places = testing::ids(columns);
  testing::Array<double> entries({std::ssize(values)});
  std::copy(values.begin(), values.end(), entries.view().begin());
  for (const Kind kind : kKinds) {
    GnnOptions o = small(kind);
    o.layers.dropout = 0.4;
    RowSpec spec = graphs_of(true);
    GraphBench<double> dense(graphs, o, spec);
    spec.kind = RowSpec::Kind::sparse;
    GraphBench<double> sparse(graphs, o, spec);
    const auto of_sparse = [&](const Pass<double>& pass, Var v) {
      ModelInput input;
      input.values = v;
      input.sparse = {starts.view(), places.view()};
      input.edges = {sparse.indptr.view(), sparse.indices.view()};
      return (*sparse.model)(pass, input);
    };
    for (const bool training : {false, true}) {
      const auto a = dense.run(dense.forward(), x, nullptr, training).y;
      const auto b = sparse.run(of_sparse, entries, nullptr, training).y;
      for (Index i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-13);
    }
  }
}

// The mean of sparse rows goes through the map as that of dense ones does, also of a graph without
// nodes, which answers by the biases.
TEST(Gnn, AnMlpOfSparseRowsIsThatOfDenseOnes) {
  const Graphs graphs = some_graphs();
  const auto x = testing::Array<double>::random({graphs.n_nodes(), kWidth}, 3);
  std::vector<std::int32_t> indptr = {0}, columns;
  for (Index i = 0; i < x.size(); ++i) {
    columns.push_back(static_cast<std::int32_t>(i % kWidth));
    if (columns.back() == kWidth - 1) indptr.push_back(static_cast<std::int32_t>(i + 1));
  }
  const testing::Ids starts = testing::ids(indptr), places = testing::ids(columns);
  for (const bool of_nodes : {true, false}) {
    for (const bool deep : {true, false}) {
      MlpOptions o;
      o.hidden = deep ? std::vector<Index>{5, 4} : std::vector<Index>{};
      RowSpec spec = graphs_of(of_nodes);
      GraphBench<double> dense(graphs, o, spec);
      spec.kind = RowSpec::Kind::sparse;
      GraphBench<double> sparse(graphs, o, spec);
      for (GraphBench<double>* bench : {&dense, &sparse})
        for (const ParameterId id : bench->registry.by_name())
          for (double& v : (*bench->values)[id]) v += 0.25;
      const auto of_sparse = [&](const Pass<double>& pass, Var v) {
        ModelInput input;
        input.values = v;
        input.sparse = {starts.view(), places.view()};
        return (*sparse.model)(pass, input);
      };
      testing::Array<double> entries({x.size()});
      std::copy(x.view().begin(), x.view().end(), entries.view().begin());
      const auto a = dense.run(dense.forward(), x).y, b = sparse.run(of_sparse, entries).y;
      EXPECT_LE(testing::error(b, a), 1e-13) << of_nodes << deep;
    }
  }
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
    for (const Kind kind : kKinds) {
      for (const bool of_nodes : {false, true}) {
        const GnnOptions o = small(kind);
        GraphBench<Real> before(graphs, o, graphs_of(of_nodes)),
            after(other, o, graphs_of(of_nodes));
        const auto a = before.logits(x), b = after.logits(moved);
        for (Index i = 0; i < a.shape()[0]; ++i)
          for (Index c = 0; c < kClasses; ++c) {
            const Index place = of_nodes ? to[static_cast<std::size_t>(i)] : i;
            EXPECT_NEAR(a[i * kClasses + c], b[place * kClasses + c], bound);
          }
      }
    }
  }
}

TEST(Gnn, OrderOfNodesAndEdgesChangesNothing) {
  expect_permutations_to_change_nothing<double>(1e-13);
  expect_permutations_to_change_nothing<float>(1e-5);
}

TEST(Gnn, VariantsOfAttentionShareTheNamesOfWhatTheyShare) {
  const auto names = [](Kind kind) {
    GraphBench<float> bench(some_graphs(), small(kind), graphs_of(true));
    std::vector<std::string> all;
    for (const ParameterId id : bench.registry.by_name()) all.push_back(bench.registry[id].name);
    return all;
  };
  EXPECT_THAT(names(Kind::gat),
              ::testing::ElementsAre("gat0.att_dst", "gat0.att_src", "gat0.bias", "gat0.weight",
                                     "gat1.att_dst", "gat1.att_src", "gat1.bias", "gat1.weight"));
  EXPECT_THAT(
      names(Kind::gatv2),
      ::testing::ElementsAre("gat0.att_src", "gat0.bias", "gat0.weight", "gat0.weight_dst",
                             "gat1.att_src", "gat1.bias", "gat1.weight", "gat1.weight_dst"));
  EXPECT_THAT(names(Kind::constant),
              ::testing::ElementsAre("gat0.bias", "gat0.weight", "gat1.bias", "gat1.weight"));
}

TEST(Gnn, RefusesWhatItCannotRead) {
  RowSpec edgeless = graphs_of(true);
  edgeless.edges = false;
  EXPECT_THAT(small(Kind::gat).misfit(edgeless)->message, HasSubstr("no edges"));
  RowSpec tokens = graphs_of(true);
  tokens.kind = RowSpec::Kind::tokens;
  EXPECT_EQ(small(Kind::gat).misfit(tokens)->key, "d_embed");
  EXPECT_FALSE(small(Kind::gat).misfit(graphs_of(false)));
}

}  // namespace
}  // namespace attune
