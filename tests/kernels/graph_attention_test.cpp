#include "kernels/graph_attention.h"

#include <gmock/gmock.h>

#include <limits>

#include "kernels/attention.h"
#include "kernels/attention/parts.h"
#include "tests/reference/graph_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Graphs;
using testing::random_graphs;
using testing::same_bits;

// Operands of random values, room for results, and gradients.
template <class Real>
struct Case {
  using A = Array<Real>;

  EdgeAttentionOptions options;
  Graphs graphs;
  bool apart;  // z_dst is there
  A z, att_src, att_dst, z_dst, dy, weights, y, dz, datt_src, datt_dst, dz_dst;

  Case(EdgeScore score, Index h, Index d, double p, const Graphs& g, bool z_dst_too = false)
      : graphs(g),
        apart(z_dst_too),
        z(A::random({g.n(), h * d}, 1)),
        att_src(A::random({h, d}, 2)),
        att_dst(A::random({h, d}, 3)),
        z_dst(A::random({g.n(), h * d}, 4)),
        dy(A::random({g.n(), h * d}, 5)),
        weights({g.m(), h}, -7),
        y({g.n(), h * d}, -7),
        dz(z.shape()),
        datt_src(att_src.shape()),
        datt_dst(att_dst.shape()),
        dz_dst(z.shape()) {
    options.n_heads = h;
    options.score = score;
    options.dropout = {p, 1234, 5};
  }
  bool gat() const { return options.score == EdgeScore::gat; }
  EdgeOperands<const Real> operands() const {
    return {z.view(), att_src.view(), att_dst.view(), apart ? z_dst.view() : View<const Real>()};
  }
  void forward() {
    edge_attention<Real>(options, graphs.pack(), graphs.edges(), operands(), weights.view(),
                         y.view());
  }
  void backward() {
    edge_attention_backward<Real>(
        options, graphs.pack(), graphs.edges(), testing::in(dy), operands(), testing::in(weights),
        {dz.view(), datt_src.view(), datt_dst.view(), apart ? dz_dst.view() : View<Real>()});
  }
  std::vector<A> results() {
    forward();
    backward();
    return {y, dz, datt_src, datt_dst, dz_dst};
  }
  Array<double> reference() const {
    using testing::widened;
    return testing::edge_attention_reference(options, graphs, widened(z), widened(att_src),
                                             widened(att_dst), widened(apart ? z_dst : z));
  }
};

const std::vector<std::pair<Index, Index>> kHeads = {
    {1, 1}, {8, 8}, {1, 7}, {3, 5}, {20, 2}, {5, 4}, {2, 33}, {4, 16}, {17, 1}, {16, 3}, {24, 1}};

template <class Real>
class GraphAttention : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GraphAttention, Reals);

TYPED_TEST(GraphAttention, AgreesWithThePlainLoops) {
  const Graphs g = random_graphs({1, 0, 30, 150, 2});
  for (const auto& [h, d] : kHeads) {
    for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
      for (const double p : {0.0, 0.4}) {
        for (const bool apart : {false, true}) {
          if (apart && score == EdgeScore::gat) continue;
          Case<TypeParam> c(score, h, d, p, g, apart);
          c.forward();
          EXPECT_LE(testing::error(c.y, c.reference()), testing::tolerance<TypeParam>())
              << h << " heads of " << d << ", p " << p;
        }
      }
    }
  }
}

// A node without edges has the bias and nothing else.
TYPED_TEST(GraphAttention, ABiasIsAdded) {
  Graphs g = random_graphs({1, 30, 7});
  g.add(1, {{}, {0}, {}});
  for (const auto& [h, d] : kHeads) {
    for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
      Case<TypeParam> c(score, h, d, 0.4, g);
      const auto bias = Array<TypeParam>::random({h * d}, 9);
      Array<double> want = c.reference();
      for (Index i = 0; i < want.size(); ++i) want[i] += static_cast<double>(bias[i % (h * d)]);
      EdgeOperands<const TypeParam> x = c.operands();
      x.bias = testing::in(bias);
      edge_attention<TypeParam>(c.options, g.pack(), g.edges(), x, c.weights.view(), c.y.view());
      EXPECT_LE(testing::error(c.y, want), testing::tolerance<TypeParam>()) << h << " x " << d;
      for (Index j = 0; j < h * d; ++j) EXPECT_EQ(c.y[(g.n() - 1) * h * d + j], bias[j]);
    }
  }
}

// What stood there before, NaN even, is not read.
TYPED_TEST(GraphAttention, AFreshGradientIsWritten) {
  const Graphs g = random_graphs({1, 0, 30, 7, 2});
  for (const auto& [h, d] : kHeads) {
    for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
      for (const bool apart : {false, true}) {
        if (apart && score == EdgeScore::gat) continue;
        Case<TypeParam> c(score, h, d, 0.3, g, apart), added(score, h, d, 0.3, g, apart);
        const auto expected = added.results();
        for (TypeParam& x : c.dz.view()) x = std::numeric_limits<TypeParam>::quiet_NaN();
        c.forward();
        edge_attention_backward<TypeParam>(c.options, g.pack(), g.edges(), testing::in(c.dy),
                                           c.operands(), testing::in(c.weights),
                                           {c.dz.view(), c.datt_src.view(), c.datt_dst.view(),
                                            apart ? c.dz_dst.view() : View<TypeParam>()},
                                           true);
        const std::vector<Array<TypeParam>> written{c.y, c.dz, c.datt_src, c.datt_dst, c.dz_dst};
        for (std::size_t i = 0; i < written.size(); ++i)
          EXPECT_EQ(testing::error(written[i], testing::widened(expected[i])), 0)
              << h << " x " << d;
      }
    }
  }
}

TEST(GraphAttentionOfDoubles, GradientsMatchCentralDifferences) {
  for (const auto& sizes : std::vector<std::vector<std::int32_t>>{{9}, {3, 0, 7}, {1, 12}}) {
    for (const auto& [h, d] : std::vector<std::pair<Index, Index>>{{1, 5}, {8, 2}, {3, 9}}) {
      for (const double p : {0.0, 0.3}) {
        for (int kind = 0; kind < 3; ++kind) {
          Case<double> c(kind == 0 ? EdgeScore::gat : EdgeScore::gatv2, h, d, p,
                         random_graphs(sizes, 3), kind == 2);
          c.forward();
          for (auto* gradient : {&c.dz, &c.datt_src, &c.datt_dst, &c.dz_dst})
            for (double& x : gradient->view()) x = 2;  // backward adds
          c.backward();
          for (auto* gradient : {&c.dz, &c.datt_src, &c.datt_dst, &c.dz_dst})
            for (double& x : gradient->view()) x -= 2;
          const auto loss = [&] {
            c.forward();
            return testing::dot(c.y, c.dy);
          };
          testing::expect_gradient("z", c.z, c.dz, loss);
          testing::expect_gradient("att_src", c.att_src, c.datt_src, loss);
          if (c.gat()) testing::expect_gradient("att_dst", c.att_dst, c.datt_dst, loss);
          if (c.apart) testing::expect_gradient("z_dst", c.z_dst, c.dz_dst, loss);
        }
      }
    }
  }
}

TYPED_TEST(GraphAttention, AnAbsentGradientChangesNoOther) {
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> all(score, 3, 5, 0.3, random_graphs({20}), score == EdgeScore::gatv2);
    const auto whole = all.results();
    for (int only = 0; only < 4; ++only) {
      Case<TypeParam> c(score, 3, 5, 0.3, random_graphs({20}), score == EdgeScore::gatv2);
      c.forward();
      const auto wanted = [&](int i, Array<TypeParam>& gradient) {
        return i == only ? gradient.view() : View<TypeParam>();
      };
      edge_attention_backward<TypeParam>(
          c.options, c.graphs.pack(), c.graphs.edges(), testing::in(c.dy), c.operands(),
          testing::in(c.weights),
          {wanted(0, c.dz), wanted(1, c.datt_src), wanted(2, c.datt_dst), wanted(3, c.dz_dst)});
      const std::vector<Array<TypeParam>> alone{c.dz, c.datt_src, c.datt_dst, c.dz_dst};
      const auto at = static_cast<std::size_t>(only);
      EXPECT_TRUE(same_bits(alone[at], whole[at + 1])) << "gradient " << only;
    }
  }
}

// Of equal scores both attentions average the senders whose weights their masks keep.
TYPED_TEST(GraphAttention, DrawsTheMaskOfAttentionWithPatternEdges) {
  Graphs g;
  for (const std::int32_t n : {70, 1, 40}) {
    std::vector<std::vector<std::int32_t>> senders(static_cast<std::size_t>(n));
    for (std::int32_t i = 0; i < n; ++i)
      for (std::int32_t j = i % 3; j < n; j += 1 + i % 5)
        senders[static_cast<std::size_t>(i)].push_back(j);
    g.add(100 + n, senders);
  }
  const Index h = 3, d = 4;
  Case<TypeParam> c(EdgeScore::gat, h, d, 0.5, g);
  for (TypeParam& a : c.att_src.view()) a = 0;
  for (TypeParam& a : c.att_dst.view()) a = 0;
  c.forward();
  AttentionOptions o;
  o.n_heads = o.n_kv_heads = h;
  o.d_k = o.d_v = d;
  o.pattern = Pattern::edges;
  o.dropout = 0.5;
  o.stream_key = c.options.dropout.stream_key;
  o.step = c.options.dropout.step;
  const Array<TypeParam> zeros(c.z.shape());
  Array<TypeParam> y(c.z.shape()), lse({g.n(), h});
  attention<TypeParam>(
      o,
      {g.pack().offsets, g.pack().offsets, g.pack().example, g.edges().indptr, g.edges().indices},
      zeros.view(), zeros.view(), testing::in(c.z), y.view(), lse.view());
  EXPECT_LE(testing::error(y, testing::widened(c.y)), testing::tolerance<TypeParam>());
}

TYPED_TEST(GraphAttention, PermutedNodesGiveThePermutedResult) {
  const Graphs g = random_graphs({40});
  const auto place = [](Index i) { return (i * 7 + 3) % 40; };  // where node i goes
  std::vector<std::vector<std::int32_t>> senders(40);
  for (Index i = 0; i < 40; ++i)
    for (Index t = g.edges().indptr[i]; t < g.edges().indptr[i + 1]; ++t)
      senders[static_cast<std::size_t>(place(i))].push_back(
          static_cast<std::int32_t>(place(g.edges().indices[t])));
  for (auto& from : senders) std::reverse(from.begin(), from.end());  // and their edges
  Graphs moved;
  moved.add(1, senders);
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> before(score, 4, 6, 0, g), after(score, 4, 6, 0, moved);
    for (Index i = 0; i < 40; ++i) {
      for (Index c = 0; c < 24; ++c) {
        after.z[place(i) * 24 + c] = before.z[i * 24 + c];
        after.dy[place(i) * 24 + c] = before.dy[i * 24 + c];
      }
    }
    before.results();
    after.results();
    for (Index i = 0; i < 40; ++i) {
      for (Index c = 0; c < 24; ++c) {
        EXPECT_NEAR(after.y[place(i) * 24 + c], before.y[i * 24 + c], 1e-5);
        EXPECT_NEAR(after.dz[place(i) * 24 + c], before.dz[i * 24 + c], 1e-5);
      }
    }
    for (Index c = 0; c < 24; ++c) EXPECT_NEAR(after.datt_src[c], before.datt_src[c], 1e-4);
  }
}

TYPED_TEST(GraphAttention, AGraphsBitsDependOnThatGraphAlone) {
  const Graphs g = random_graphs({13, 0, 70, 1, 66});
  const Index h = 3, d = 7, columns = h * d;
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> all(score, h, d, 0.3, g);
    all.results();
    for (Index e = 0; e < g.n_examples(); ++e) {
      const Index begin = g.pack().offsets[e], end = g.pack().offsets[e + 1];
      Case<TypeParam> one(score, h, d, 0.3, g.alone(e));
      one.z = testing::rows_of(all.z, begin, end);
      one.dy = testing::rows_of(all.dy, begin, end);
      one.results();
      EXPECT_TRUE(same_bits(one.y, testing::rows_of(all.y, begin, end)));
      EXPECT_TRUE(same_bits(one.dz, testing::rows_of(all.dz, begin, end)));
    }
    ASSERT_EQ(columns, all.y.shape()[1]);
  }
}

TYPED_TEST(GraphAttention, BitsDoNotDependOnThreads) {
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    testing::expect_same_on_threads<TypeParam>(
        {"edge_attention", "edge_attention_backward", "edge_attention_senders"}, [&] {
          Case<TypeParam> c(score, 8, 8, 0.6, random_graphs({400, 300}));
          return c.results();
        });
  }
}

// Weights are 2e^a / (2e^a + e^b) and e^b / (2e^a + e^b).
TYPED_TEST(GraphAttention, AnEdgeCountsAsOftenAsItStands) {
  Graphs g;
  g.add(1, {{}, {}, {0, 1, 0}});
  Case<TypeParam> c(EdgeScore::gat, 1, 1, 0, g);
  c.att_src[0] = 1;
  c.att_dst[0] = 0;
  c.z[0] = TypeParam(0.5);
  c.z[1] = TypeParam(2);
  c.forward();
  const double a = 2 * std::exp(0.5), b = std::exp(2.0);
  EXPECT_NEAR(c.y[2], (0.5 * a + 2 * b) / (a + b), 1e-6);
}

TYPED_TEST(GraphAttention, ANodeWithoutEdgesIsZeroAndTakesNoGradient) {
  Graphs g;
  g.add(1, {{1, 2}, {}, {1}, {}});
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> c(score, 2, 3, 0, g);
    for (Index j = 0; j < 6; ++j) c.dy[6 + j] = c.dy[18 + j] = 1e6;  // nodes 1 and 3
    c.results();
    for (Index j = 0; j < 6; ++j) {
      EXPECT_EQ(c.y[6 + j], 0);
      EXPECT_EQ(c.y[18 + j], 0);
      EXPECT_EQ(c.dz[18 + j], 0);  // node 3 sends nothing, either
      EXPECT_LT(std::fabs(c.dz[6 + j]), 100);
    }
  }
}

TYPED_TEST(GraphAttention, ScoresOfTenThousandAreSafe) {
  Graphs g;
  g.add(1, {{0, 1}, {1, 0}});
  Case<TypeParam> c(EdgeScore::gatv2, 1, 1, 0, g);
  c.att_src[0] = 1;
  c.z[0] = 10000;
  c.z[1] = -50000;  // score −1e4 from itself
  c.results();
  EXPECT_EQ(c.y[0], c.z[0]);
  for (const auto* a : {&c.y, &c.dz, &c.datt_src})
    for (const TypeParam x : a->view()) EXPECT_TRUE(std::isfinite(x));
}

TYPED_TEST(GraphAttention, ANodeWhoseScoresAreAllMinusInfinityIsZero) {
  Graphs g;
  g.add(1, {{0, 1}, {0}});
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> c(score, 1, 1, 0, g);
    c.att_src[0] = -std::numeric_limits<TypeParam>::infinity();
    c.z[0] = c.z[1] = 1;
    c.forward();
    EXPECT_EQ(c.y[0], 0);
    EXPECT_EQ(c.y[1], 0);
  }
}

TYPED_TEST(GraphAttention, NanReachesTheNodesThatItIsSentToAndNoOther) {
  Graphs g;
  g.add(1, {{0, 1}, {0, 3}, {2, 3}, {3}});
  for (const EdgeScore score : {EdgeScore::gat, EdgeScore::gatv2}) {
    Case<TypeParam> c(score, 2, 3, 0, g);
    c.z[1 * 6 + 1] = std::numeric_limits<TypeParam>::quiet_NaN();  // node 1, head 0
    c.forward();
    for (Index i = 0; i < 4; ++i) {
      for (Index j = 0; j < 6; ++j) {
        // Node 1 scores its senders with its own NaN.
        EXPECT_EQ(std::isnan(c.y[i * 6 + j]), i < 2 && j < 3) << i << " " << j;
      }
    }
  }
}

TYPED_TEST(GraphAttention, Gatv2DoesNotReadWhatScoresReceiversInGat) {
  Case<TypeParam> c(EdgeScore::gatv2, 2, 3, 0, random_graphs({9}));
  c.results();
  for (const TypeParam x : c.datt_dst.view()) EXPECT_EQ(x, 0);
  const Array<TypeParam> y = c.y;
  for (TypeParam& a : c.att_dst.view()) a = std::numeric_limits<TypeParam>::quiet_NaN();
  c.forward();
  EXPECT_TRUE(same_bits(c.y, y));
}

template <class F>
void expect_refused(F&& f, const char* reason) {
  try {
    f();
    ADD_FAILURE() << "not refused: " << reason;
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr(reason));
  }
}

TEST(GraphAttentionOfDoubles, OperandsThatDoNotFitAreNamed) {
  const Graphs g = random_graphs({5, 6});
  Case<double> good(EdgeScore::gat, 2, 3, 0.5, g);
  auto c = good;
  c.options.n_heads = 4;
  expect_refused([&] { c.forward(); }, "z has 6 columns, which 4 heads do not divide");
  c = good;
  c.apart = true;
  expect_refused([&] { c.forward(); }, "z_dst is for gatv2");
  c = good;
  c.graphs.indptr.back() -= 1;
  expect_refused([&] { c.forward(); }, "but must go from 0 to the number of indices");
  c = good;
  c.graphs.indptr[3] = c.graphs.indptr[4] + 1;
  expect_refused([&] { c.forward(); }, "indptr must not fall");
  c = good;
  c.graphs.indices.back() = 2;
  expect_refused([&] { c.forward(); }, "edges of example 1 must come from its own rows, 5 … 10");
  expect_refused(
      [&] {
        edge_attention<double>(good.options, {}, g.edges(), good.operands(), good.weights.view(),
                               good.y.view());
      },
      "dropout keys its mask by offsets and example ids of the 11 nodes");
}

}  // namespace
}  // namespace attune::kernels
