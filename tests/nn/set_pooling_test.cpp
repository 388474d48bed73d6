// Pooling by multi-head attention: its formula, and that it knows no order of rows.
#include "nn/set_pooling.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/nn/plain_layers.h"

namespace attune {
namespace {

using testing::error;
using testing::PlainLayers;
using testing::Rows;
using testing::rows_of;
using testing::same_bits;
using Array = testing::Array<double>;

constexpr Index kWidth = 6, kHeads = 2;

template <class Real>
AttentionPooling build(LayerBench<Real>& bench, Index n_seeds) {
  auto pool = bench.build(
      [&](Registry& r) { return AttentionPooling(r, "pool", kWidth, kHeads, 9, n_seeds); });
  // Biases begin at 0 and gains at 1, which would hide a layer that forgets them.
  for (const ParameterId id : bench.registry.by_name()) {
    const std::string& name = bench.registry[id].name;
    if (name.find(".b") == std::string::npos && name.find("norm") == std::string::npos) continue;
    const View<Real> values = (*bench.values)[id];
    for (Index i = 0; i < values.size(); ++i)
      values[i] += Real(0.1) * static_cast<Real>(i % 5) - Real(0.2);
  }
  return pool;
}

Rows plain(const PlainLayers& layers, const Rows& z) {
  const Rows seeds = layers.table("pool.seeds");
  const Rows heard = layers.attention(seeds, layers.mlp(z, "pool.feed"), "pool.attention", kHeads);
  const Rows h = layers.norm(testing::plus(seeds, heard), "pool.norm1");
  return layers.norm(testing::plus(h, layers.mlp(h, "pool.mlp")), "pool.norm2");
}

TEST(AttentionPooling, IsItsFormula) {
  for (const Index n_seeds : {1, 3}) {
    LayerBench<double> bench({0, 4, 4, 5});
    const AttentionPooling pool = build(bench, n_seeds);
    const Array x = Array::random({5, kWidth}, 1), y = bench.run(pool, x).y;
    ASSERT_EQ(y.shape(), (Shape{3 * n_seeds, kWidth}));
    const PlainLayers layers(bench);
    for (const auto& [e, begin, end] : {std::array<Index, 3>{0, 0, 4}, {1, 4, 4}, {2, 4, 5}})
      EXPECT_LE(error(rows_of(y, e * n_seeds, (e + 1) * n_seeds),
                      testing::array_of(plain(layers, testing::taken(x, begin, end)))),
                1e-13)
          << "example " << e;
  }
}

TEST(AttentionPooling, IsDifferentiated) {
  for (const Index n_seeds : {1, 3}) {
    LayerBench<double> bench({0, 4, 4, 9});
    const AttentionPooling pool = build(bench, n_seeds);
    expect_gradients(bench, pool, kWidth);
  }
}

TEST(AttentionPooling, KnowsNoOrderOfRows) {
  LayerBench<double> bench({0, 7});
  const AttentionPooling pool = build(bench, 2);
  const Array x = Array::random({7, kWidth}, 1);
  Array turned(x.shape());
  for (Index i = 0; i < 7; ++i)
    std::copy_n(x.view().row((3 * i + 2) % 7), kWidth, turned.view().row(i));
  EXPECT_LE(error(bench.run(pool, turned).y, bench.run(pool, x).y), 1e-14);
}

// The seeds' pass bounds what goes on with them: n_seeds rows an example, of the same ids.
TEST(AttentionPooling, GivesItsSeedsAsRowsOfTheSameExamples) {
  LayerBench<double> bench({0, 4, 4, 5});
  const AttentionPooling pool = build(bench, 2);
  bench.run(
      [&](const Pass<double>& pass, Var x) {
        const Pass<double> seeds = pool.as_seeds(pass);
        EXPECT_EQ(seeds.rows.n_rows(), 6);
        EXPECT_EQ(seeds.rows.offsets[2], 4);
        EXPECT_EQ(seeds.coordinates.example[5], pass.rows.example[2]);
        EXPECT_EQ(seeds.coordinates.token[5], 1);
        return pool(pass, x);
      },
      Array::random({5, kWidth}, 1));
}

TEST(AttentionPooling, BitsDependNeitherOnThePackNorOnThreads) {
  using Float = testing::Array<float>;
  LayerBench<float> pack({0, 40, 40, 170, 200}), alone({0, 130});
  const AttentionPooling in_pack = build(pack, 1), by_itself = build(alone, 1);
  const Float x = Float::random({200, kWidth}, 2), dy = Float::random({4, kWidth}, 3);
  const Float own_dy = rows_of(dy, 2, 3);
  const auto of_pack = pack.run(in_pack, x, &dy),
             of_alone = alone.run(by_itself, rows_of(x, 40, 170), &own_dy);
  EXPECT_TRUE(same_bits(rows_of(of_pack.y, 2, 3), of_alone.y));
  EXPECT_TRUE(same_bits(rows_of(of_pack.dx, 40, 170), of_alone.dx));
  testing::expect_same_on_threads<float>({}, [&] {
    const auto result = pack.run(in_pack, x, &dy);
    return std::vector{result.y, result.dx};
  });
}

}  // namespace
}  // namespace attune
