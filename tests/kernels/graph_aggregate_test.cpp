#include "kernels/graph_aggregate.h"

#include <gmock/gmock.h>

#include "tests/reference/graph_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Graphs;
using testing::in;
using testing::random_graphs;
using testing::same_bits;

const std::vector<GraphReduce> kReduces = {GraphReduce::sum, GraphReduce::mean,
                                           GraphReduce::symmetric};

template <class Real>
class GraphAggregate : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GraphAggregate, Reals);

template <class Real>
Array<Real> aggregate(GraphReduce reduce, const Graphs& g, const Array<Real>& x) {
  Array<Real> y(x.shape(), -7);
  graph_aggregate(reduce, g.edges(), in(x), y.view());
  return y;
}

TYPED_TEST(GraphAggregate, AgreesWithThePlainLoops) {
  for (const auto& sizes : std::vector<std::vector<std::int32_t>>{{1}, {30, 0, 7}, {100}, {}}) {
    const Graphs g = random_graphs(sizes);
    for (const Index d : {1, 7, 16, 70, 133}) {
      const auto x = Array<TypeParam>::random({g.n(), d}, 1);
      for (const GraphReduce reduce : kReduces) {
        const auto want = testing::graph_aggregate_reference(reduce, g, testing::widened(x));
        EXPECT_LE(testing::error(aggregate(reduce, g, x), want), testing::tolerance<TypeParam>());
      }
    }
  }
}

TEST(GraphAggregateOfDoubles, GradientsMatchCentralDifferences) {
  const Graphs g = random_graphs({9, 4});
  auto x = Array<double>::random({g.n(), 5}, 1);
  const auto dy = Array<double>::random(x.shape(), 2);
  for (const GraphReduce reduce : kReduces) {
    Array<double> dx(x.shape(), 3);
    graph_aggregate_backward(reduce, g.edges(), in(dy), dx.view());
    for (double& v : dx.view()) v -= 3;  // backward adds
    testing::expect_gradient("x", x, dx, [&] { return testing::dot(aggregate(reduce, g, x), dy); });
  }
}

// Of a graph with its self-loops: D^−½ A D^−½ maps √deg to itself (Kipf and Welling 2017 normalise
// by the largest eigenvalue, which this is).
TEST(GraphAggregateOfDoubles, RootsOfDegreesAreAFixedPointOfTheSymmetricWeights) {
  Graphs path;
  path.add(1, {{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}});
  Array<double> x({4, 1});
  for (Index i = 0; i < 4; ++i) x[i] = std::sqrt(i == 0 || i == 3 ? 2.0 : 3.0);
  const auto y = aggregate(GraphReduce::symmetric, path, x);
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(y[i], x[i], 1e-15);
}

TYPED_TEST(GraphAggregate, ASenderIntoWhichNoEdgeGoesIsLeftOutOfSymmetricSums) {
  Graphs g;
  g.add(1, {{1, 2}, {}, {2}});
  Array<TypeParam> x({3, 1}, 1);
  const auto y = aggregate(GraphReduce::symmetric, g, x);
  EXPECT_NEAR(y[0], 1 / std::sqrt(2.0), 1e-6);  // from node 2 alone
  EXPECT_EQ(y[1], 0);
}

TYPED_TEST(GraphAggregate, AGraphsBitsDependOnThatGraphAlone) {
  const Graphs g = random_graphs({13, 0, 70, 1, 66});
  const auto x = Array<TypeParam>::random({g.n(), 33}, 1);
  for (const GraphReduce reduce : kReduces) {
    const auto y = aggregate(reduce, g, x);
    Array<TypeParam> dx(x.shape());
    graph_aggregate_backward(reduce, g.edges(), in(y), dx.view());
    for (Index e = 0; e < g.n_examples(); ++e) {
      const Index begin = g.pack().offsets[e], end = g.pack().offsets[e + 1];
      const auto alone = aggregate(reduce, g.alone(e), testing::rows_of(x, begin, end));
      EXPECT_TRUE(same_bits(alone, testing::rows_of(y, begin, end)));
      Array<TypeParam> dalone(alone.shape());
      graph_aggregate_backward(reduce, g.alone(e).edges(), in(alone), dalone.view());
      EXPECT_TRUE(same_bits(dalone, testing::rows_of(dx, begin, end)));
    }
  }
}

TYPED_TEST(GraphAggregate, BitsDoNotDependOnThreads) {
  const Graphs g = random_graphs({700, 400});
  const auto x = Array<TypeParam>::random({g.n(), 67}, 1);
  testing::expect_same_on_threads<TypeParam>({"graph_aggregate", "graph_aggregate_backward"}, [&] {
    const auto y = aggregate(GraphReduce::symmetric, g, x);
    Array<TypeParam> dx(x.shape());
    graph_aggregate_backward(GraphReduce::symmetric, g.edges(), in(y), dx.view());
    return std::vector{y, dx};
  });
}

TEST(GraphAggregateOfDoubles, AnEdgeFromNoRowIsNamed) {
  Graphs g;
  g.add(1, {{0, 3}, {1}});
  const Array<double> x({2, 4});
  Array<double> y({2, 4});
  try {
    graph_aggregate(GraphReduce::sum, g.edges(), in(x), y.view());
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("indices[1] is 3, but must be one of 0 … 1"));
  }
}

}  // namespace
}  // namespace attune::kernels
