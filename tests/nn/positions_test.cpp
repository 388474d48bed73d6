// Positions against their formulas, and what a model can and cannot tell with them.
#include "nn/positions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/attention/parts.h"
#include "nn/attention.h"
#include "tests/nn/layer_bench.h"

namespace attune {
namespace {

using testing::error;
using ::testing::HasSubstr;
using testing::same_bits;
using ::testing::ThrowsMessage;
using Array = testing::Array<double>;

Array added(LayerBench<double>& bench, const PositionSpec& spec, const Array& x) {
  const Positions positions =
      bench.build([&](Registry& r) { return Positions(r, "position", x.shape()[1], spec); });
  return bench.run([&](const Pass<double>& pass, Var in) { return positions.added(pass, in); }, x)
      .y;
}

PositionSpec of(Position kind) {
  PositionSpec spec;
  spec.position = kind;
  return spec;
}

TEST(Positions, SinusoidsAreThoseOfThePaper) {
  for (const Index d : {8, 7}) {
    LayerBench<double> bench({0, 40, 43});
    const Array y = added(bench, of(Position::sinusoidal), Array({43, d}));
    for (Index row = 0; row < 43; ++row) {
      for (Index j = 0; j < d; ++j) {
        const double place = double(row < 40 ? row : row - 40);
        const double angle = place / std::pow(10000.0, double(j / 2 * 2) / double(d));
        EXPECT_NEAR(y[row * d + j], j % 2 == 0 ? std::sin(angle) : std::cos(angle), 1e-14);
      }
    }
  }
}

TEST(Positions, PeriodicOnesRepeatBitForBit) {
  PositionSpec spec = of(Position::periodic);
  spec.period = 5;
  LayerBench<double> periodic({0, 17}), plain({0, 5});
  const Array y = added(periodic, spec, Array({17, 6}));
  const Array first = added(plain, of(Position::sinusoidal), Array({5, 6}));
  for (Index row = 0; row < 17; ++row)
    EXPECT_TRUE(same_bits(testing::rows_of(y, row, row + 1),
                          testing::rows_of(first, row % 5, row % 5 + 1)));
}

// T21 of Luo et al.'s kind: one token at places i and i + kP is told apart by causal attention
// alone.
TEST(Positions, PeriodicOnesCollideInBidirectionalAttentionOnly) {
  PositionSpec periodic = of(Position::periodic);
  periodic.period = 4;
  for (const bool causal : {false, true}) {
    LayerBench<double> bench({0, 12});
    AttentionSpec spec;
    if (causal) spec.pattern = kernels::Pattern::causal;
    Positions positions;
    const auto layer = bench.build([&](Registry& r) {
      positions = Positions(r, "position", 8, periodic);
      return MultiHeadAttention(r, "a", 8, 2, spec);
    });
    Array x = Array::random({12, 8}, 2);
    std::copy_n(x.view().row(3), 8, x.view().row(11));  // one token at 3 and 3 + 2 · 4
    const Array y = bench
                        .run([&](const Pass<double>& pass,
                                 Var in) { return layer(pass, positions.added(pass, in)); },
                             x)
                        .y;
    const Array at_3 = testing::rows_of(y, 3, 4), at_11 = testing::rows_of(y, 11, 12);
    if (causal) {
      EXPECT_GT(error(at_11, at_3), 1e-2);
    } else {
      EXPECT_TRUE(same_bits(at_11, at_3));
    }
  }
}

// A table of a straight line reads as that line at the middle of every patch.
TEST(Positions, FractionsAreSharesOfTheSide) {
  PositionSpec spec = of(Position::fractional_2d);
  spec.position_size = 11;
  LayerBench<double> bench({0, 6, 27, 28}, {2, 3, 7, 3, 1, 1});
  const Positions positions =
      bench.build([&](Registry& r) { return Positions(r, "position", 1, spec); });
  for (Index i = 0; i < 11; ++i) {
    bench.value("position.rows")[i] = double(i) / 10;
    bench.value("position.columns")[i] = 100 * double(i) / 10;
  }
  const Array y =
      bench
          .run([&](const Pass<double>& pass, Var in) { return positions.added(pass, in); },
               Array({28, 1}))
          .y;
  const std::pair<Index, Index> grids[] = {{2, 3}, {7, 3}, {1, 1}};
  Index row = 0;
  for (const auto& [rows, columns] : grids)
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < columns; ++c)
        EXPECT_NEAR(y[row++],
                    (double(r) + 0.5) / double(rows) + 100 * (double(c) + 0.5) / double(columns),
                    1e-12);
}

TEST(Positions, FactorisedOnesAreTwoTables) {
  LayerBench<double> bench({0, 6}, {2, 3});
  const Array x = Array::random({6, 4}, 1), y = added(bench, of(Position::factorised_2d), x);
  const auto rows = bench.value("position.rows"), columns = bench.value("position.columns");
  for (Index i = 0; i < 6; ++i)
    for (Index j = 0; j < 4; ++j)
      EXPECT_NEAR(y[i * 4 + j], x[i * 4 + j] + rows(i / 3, j) + columns(i % 3, j), 1e-15);
}

TEST(Positions, OfAGridLeaveOutRowsInFrontOfIt) {
  Arena arena;
  const testing::Ids offsets = testing::ids({0, 5, 7}), grid = testing::ids({2, 2, 1, 2});
  PackedRows rows;
  rows.offsets = offsets.view();
  rows.grid = grid.view().reshaped({2, 2});
  const auto places = grid_places(rows, -1, arena);
  const std::vector<std::int32_t> wanted{-1, -1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1};
  EXPECT_EQ(std::vector<std::int32_t>(places.begin(), places.end()), wanted);
  rows.grid = {};
  EXPECT_THAT([&] { grid_places(rows, 0, arena); },
              ThrowsMessage<ShapeError>(HasSubstr("positions in a grid are asked for")));
}

// A class token, which has no place, sees patches that are far and near alike under alibi_2d.
TEST(Positions, ATokenWithoutAPlaceHasNoDistance) {
  AttentionSpec spec;
  LayerBench<double> plain({0, 5}, {2, 2}), biased({0, 5}, {2, 2});
  const auto make = [&](Registry& r) { return MultiHeadAttention(r, "a", 8, 2, spec); };
  const auto plain_layer = plain.build(make);
  spec.bias = kernels::Bias::alibi_2d;
  const auto biased_layer = biased.build(make);
  const Array x = Array::random({5, 8}, 2);
  const Array y = plain.run(plain_layer, x).y, with_bias = biased.run(biased_layer, x).y;
  EXPECT_LE(error(testing::rows_of(with_bias, 0, 1), testing::rows_of(y, 0, 1)), 1e-14);
  EXPECT_GT(error(testing::rows_of(with_bias, 1, 5), testing::rows_of(y, 1, 5)), 1e-4);
}

TEST(PositionSpec, PeriodicNeedsItsPeriod) {
  PositionSpec spec = of(Position::periodic);
  FieldList f;
  spec.fields(f);
  ASSERT_EQ(f.rules().size(), 1U);
  const auto complaint = f.rules()[0]();
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->message, "position=periodic needs period, which is not set");
  spec.period = 3;
  EXPECT_FALSE(f.rules()[0]());
}

TEST(PositionSpec, RotatesHeadsOfOneEvenWidth) {
  const auto complaint = [](Position kind, const std::vector<Index>& widths) {
    const auto found = of(kind).complaint(widths);
    return found ? found->message : std::string();
  };
  EXPECT_EQ(complaint(Position::rope, {6, 6}), "");
  EXPECT_EQ(complaint(Position::rope_2d, {8, 8}), "");
  EXPECT_EQ(complaint(Position::learned, {5, 7}), "");
  EXPECT_EQ(complaint(Position::rope_2d, {6, 6}),
            "position=rope_2d rotates heads whose width is a multiple of 4, and here they have 6 "
            "columns");
  EXPECT_THAT(complaint(Position::rope, {6, 8}), HasSubstr("heads of different widths"));
}

// RoPE's attention knows places by their differences alone.
TEST(Positions, RotationsDependOnDifferencesAlone) {
  AttentionSpec spec;
  const auto attended = [&](const Array& x, std::int32_t shift) {
    LayerBench<double> bench({0, 9});
    const auto layer =
        bench.build([&](Registry& r) { return MultiHeadAttention(r, "a", 8, 2, spec); });
    const Positions positions(bench.registry, "position", 8, of(Position::rope));
    return bench
        .run(
            [&](const Pass<double>& pass, Var in) {
              Pass<double> placed = positions.rotating(pass);
              const auto moved = pass.tape.arena().view<std::int32_t>({9});
              for (Index i = 0; i < 9; ++i) moved[i] = placed.places[i] + shift;
              placed.places = moved;
              return layer(placed, in);
            },
            x)
        .y;
  };
  const Array x = Array::random({9, 8}, 2);
  EXPECT_LE(error(attended(x, 1000), attended(x, 0)), 1e-12);
  LayerBench<double> bench({0, 9});
  const auto layer =
      bench.build([&](Registry& r) { return MultiHeadAttention(r, "a", 8, 2, spec); });
  EXPECT_GT(error(bench.run(layer, x).y, attended(x, 0)), 1e-3);  // and places do matter
}

TEST(Positions, AClassTokenIsNotRotated) {
  LayerBench<double> bench({0, 4, 10}, {2, 2, 2, 3});
  bench.build([](Registry& r) { return r.parameter("x", {1}, Initialiser::zeros(), Decay::no); });
  for (const Position kind : {Position::rope, Position::rope_2d}) {
    Registry unused;
    const Positions positions(unused, "position", 8, of(kind));
    bench.run(
        [&](const Pass<double>& pass, Var in) {
          const Pass<double> longer = with_cls_rows(positions.rotating(pass));
          const std::vector<std::int32_t> got(longer.places.begin(), longer.places.end());
          const std::vector<std::int32_t> line{0, 0, 1, 2, 3, 0, 0, 1, 2, 3, 4, 5},
              grid{0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2};
          EXPECT_EQ(got, kind == Position::rope ? line : grid);
          return in;
        },
        Array({10, 1}));
  }
}

}  // namespace
}  // namespace attune
