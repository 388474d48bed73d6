// Four ways for two sets of rows to meet: what stands beside a query, and what order means to it.
#include "nn/bridge.h"

#include <gmock/gmock.h>

#include "tests/nn/plain_layers.h"
#include "tests/nn/query_bench.h"

namespace attune {
namespace {

using testing::Asked;
using testing::error;
using ::testing::HasSubstr;
using testing::joined;
using testing::PlainLayers;
using testing::QueryBench;
using testing::Row;
using testing::Rows;
using testing::rows_of;
using Array = testing::Array<double>;
using Bridge = BridgeOptions::Bridge;

constexpr Bridge kBridges[] = {Bridge::cross_attention, Bridge::pad_concat, Bridge::pooling,
                               Bridge::projection};

BridgeOptions small(Bridge bridge, Index n_layers = 0) {
  BridgeOptions o;
  o.d_model = 8;
  o.n_layers = n_layers;
  o.n_heads = 2;
  o.mlp_ratio = 1.5;
  o.bridge = bridge;
  return o;
}
Asked data() { return testing::vectors_about_vectors(); }

Rows plain(LayerBench<double>& bench, const BridgeOptions& o, const Rows& vectors,
           const Rows& queries) {
  const PlainLayers layers(bench);
  const auto side = [&](const Rows& in, const std::string& input, const std::string& path) {
    Rows x = layers.linear(in, input + ".weight", input + ".bias");
    for (Index i = 0; i < o.n_layers; ++i)
      x = layers.block(x, path + ".block" + std::to_string(i), 2);
    return layers.norm(x, path + ".norm");
  };
  const Rows z = side(vectors, "input", "encoder"), q = side(queries, "decoder.input", "decoder");
  Rows other(q.size(), Row(8));
  if (o.bridge == Bridge::cross_attention) other = layers.attention(q, z, "cross_attention", 2);
  for (std::size_t i = 0; i < q.size(); ++i) {
    if (o.bridge == Bridge::pad_concat && i < z.size()) other[i] = z[i];
    if (o.bridge == Bridge::pooling) other[i] = testing::mean_of(z, 8);
    if (o.bridge != Bridge::projection) continue;
    const View<double> e = bench.value("projection.weight");
    for (std::size_t j = 0; j < z.size(); ++j)
      for (std::size_t c = 0; c < 8; ++c)
        other[i][c] += e(static_cast<Index>(i), static_cast<Index>(j)) * z[j][c];
  }
  Rows logits;
  for (std::size_t i = 0; i < q.size(); ++i) {
    Row hidden = layers.linear(joined(q[i], other[i]), "hidden.weight", "hidden.bias");
    for (double& v : hidden) v *= std::erfc(-v / std::sqrt(2.0)) / 2;
    logits.push_back(layers.linear(hidden, "head.weight", "head.bias"));
  }
  return logits;
}

// More rows than queries, fewer, none.
const std::vector<std::int32_t> kRows{0, 7, 9, 9}, kQueries{0, 2, 7, 9};

TEST(Bridge, IsItsFormula) {
  for (const Bridge bridge : kBridges) {
    for (const Index n_layers : {0, 1}) {
      const BridgeOptions o = small(bridge, n_layers);
      QueryBench<double> bench(data().with(kRows, kQueries), o);
      bench.move_parameters();
      const Array y = bench.logits();
      for (std::size_t e = 0; e < 3; ++e)
        EXPECT_LE(error(rows_of(y, kQueries[e], kQueries[e + 1]),
                        testing::array_of(
                            plain(bench, o, testing::taken(bench.rows, kRows[e], kRows[e + 1]),
                                  testing::taken(bench.queries, kQueries[e], kQueries[e + 1])))),
                  1e-12)
            << "example " << e;
    }
  }
}

TEST(Bridge, IsDifferentiated) {
  for (const Bridge bridge : kBridges) {
    BridgeOptions o = small(bridge, 1);
    o.dropout = 0.2;
    QueryBench<double> bench(data().with(kRows, kQueries), o);
    expect_gradients(bench, bench.of_rows(), 3);
  }
}

TEST(Bridge, ExamplesAreApartAndBitsThoseOfOneThread) {
  for (const Bridge bridge : kBridges)
    for (const Index n_layers : {0, 1})
      testing::expect_examples_apart(small(bridge, n_layers), data());
}

// What attends or pools knows no order; what goes by numbers does.
TEST(Bridge, OrderOfRowsMattersToWhatGoesByNumber) {
  for (const Bridge bridge : kBridges) {
    QueryBench<double> bench(data().with({0, 7}, {0, 2}), small(bridge));
    const Array before = bench.logits();
    for (Index j = 0; j < 3; ++j) std::swap(bench.rows[j], bench.rows[5 * 3 + j]);
    const double change = error(bench.logits(), before);
    if (bridge == Bridge::cross_attention || bridge == Bridge::pooling) {
      EXPECT_LE(change, 1e-14);
    } else {
      EXPECT_GT(change, 1e-3);
    }
  }
}

TEST(Bridge, HasTheParametersThatItsHeaderCounts) {
  const auto n = [](Bridge bridge) {
    return QueryBench<double>(data(), small(bridge)).registry.n_parameters();
  };
  // Inputs 3 and 2 wide, two norms, 16 → 12 → 6.
  const Index common = 8 * (3 + 1) + 8 * (2 + 1) + 2 * 2 * 8 + 12 * 17 + 6 * 13;
  EXPECT_EQ(n(Bridge::pooling), common);
  EXPECT_EQ(n(Bridge::pad_concat), common);
  EXPECT_EQ(n(Bridge::cross_attention), common + 4 * 8 * 8 + 4 * 8);
  EXPECT_EQ(n(Bridge::projection), common + 5 * 8);
}

// Parts that all bridges have begin alike, so that a study's rows pair.
TEST(Bridge, SharesItsDraws) {
  QueryBench<double> one(data(), small(Bridge::pooling)),
      other(data(), small(Bridge::cross_attention));
  for (const char* name : {"input.weight", "decoder.input.weight", "hidden.weight", "head.weight"})
    EXPECT_TRUE(
        std::equal(one.value(name).begin(), one.value(name).end(), other.value(name).begin()));
}

TEST(Bridge, TellsOfMoreRowsThanItsProjectionHas) {
  for (const auto& [rows, queries] : {std::pair<std::int32_t, std::int32_t>{9, 2}, {3, 6}}) {
    QueryBench<double> bench(data().with({0, rows}, {0, queries}), small(Bridge::projection));
    EXPECT_THROW(bench.logits(), ShapeError);
  }
}

TEST(Bridge, SaysWhichDataItCannotRead) {
  const BridgeOptions o;
  RowSpec spec = data().spec();
  EXPECT_FALSE(o.misfit(spec));
  EXPECT_FALSE(o.misfit([] {
    Asked tokens;
    tokens.decoded = false;
    return tokens.spec();
  }()));
  EXPECT_THAT(o.misfit(Asked().spec())->message, HasSubstr("put out one after the other"));
  spec.queries.reset();
  EXPECT_THAT(o.misfit(spec)->message, HasSubstr("this data has none"));
}

}  // namespace
}  // namespace attune
