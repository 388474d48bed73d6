#include "kernels/position.h"

#include <gmock/gmock.h>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;
using testing::widened;

template <class Real>
class Position : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Position, Reals);

// Images of a pack: grids, and offsets with `leading` rows more an example.
struct Images {
  Images(const std::vector<std::pair<std::int32_t, std::int32_t>>& sizes, Index leading)
      : grid({static_cast<Index>(sizes.size()), 2}),
        offsets({static_cast<Index>(sizes.size()) + 1}) {
    for (Index e = 0; e < static_cast<Index>(sizes.size()); ++e) {
      const auto [rows, columns] = sizes[static_cast<std::size_t>(e)];
      grid[2 * e] = rows;
      grid[2 * e + 1] = columns;
      offsets[e + 1] = offsets[e] + static_cast<std::int32_t>(leading) + rows * columns;
    }
  }
  Index n() const { return offsets[offsets.size() - 1]; }
  Ids grid, offsets;
};

// Smaller than the tables (4 x 3), as large, larger, much larger, a single row or cell, none.
const std::vector<std::pair<std::int32_t, std::int32_t>> kSizes = {{2, 3},  {4, 3}, {5, 7}, {1, 11},
                                                                   {13, 1}, {1, 1}, {0, 0}};

TYPED_TEST(Position, GridPositionsAreTheSumOfTheirRowAndColumn) {
  for (Index leading : {0, 1}) {
    for (Index d : {1, 5, 33}) {
      const Images images(kSizes, leading);
      const auto x = Array<TypeParam>::random({images.n(), d}, 1),
                 rows = Array<TypeParam>::random({4, d}, 2),
                 columns = Array<TypeParam>::random({3, d}, 3);
      Array<TypeParam> y({images.n(), d});
      add_grid_positions(in(x), in(images.offsets), in(images.grid), leading, in(rows), in(columns),
                         y.view());
      Array<double> want = widened(x);
      const auto wide_rows = widened(rows), wide_columns = widened(columns);
      for (std::size_t e = 0; e < kSizes.size(); ++e) {
        const auto [height, width] = kSizes[e];
        for (Index r = 0; r < height; ++r) {
          for (Index c = 0; c < width; ++c) {
            const Index at = images.offsets[static_cast<Index>(e)] + leading + r * width + c;
            for (Index j = 0; j < d; ++j) {
              want[at * d + j] += testing::table_value(wide_rows, r, height, j) +
                                  testing::table_value(wide_columns, c, width, j);
            }
          }
        }
      }
      EXPECT_LE(testing::error(y, want), testing::tolerance<TypeParam>());
    }
  }
}

TYPED_TEST(Position, AStretchedGridKeepsItsEndsAndItsMiddle) {
  // A table 0, 1, 2 read at 5 places: 0, ½, 1, 1½, 2.
  const Images images({{5, 1}}, 0);
  Array<TypeParam> rows({3, 1}), x({5, 1}), y({5, 1});
  const Array<TypeParam> columns({1, 1}, 0);
  for (Index i = 0; i < 3; ++i) rows[i] = TypeParam(i);
  add_grid_positions(in(x), in(images.offsets), in(images.grid), 0, in(rows), in(columns),
                     y.view());
  for (Index i = 0; i < 5; ++i) EXPECT_EQ(y[i], TypeParam(i) / 2);
}

TYPED_TEST(Position, SequencePositionsFollowTheIndexInTheExample) {
  const Ids offsets = testing::ids({0, 3, 3, 7, 18, 19});
  for (Index length : {1, 4, 11}) {
    const auto x = Array<TypeParam>::random({19, 6}, 1),
               table = Array<TypeParam>::random({length, 6}, 2);
    Array<TypeParam> y({19, 6});
    add_sequence_positions(in(x), in(offsets), in(table), y.view());
    Array<double> want = widened(x);
    for (Index e = 0; e < 5; ++e) {
      for (Index i = offsets[e]; i < offsets[e + 1]; ++i) {
        for (Index j = 0; j < 6; ++j) {
          want[i * 6 + j] +=
              testing::table_value(widened(table), i - offsets[e], offsets[e + 1] - offsets[e], j);
        }
      }
    }
    EXPECT_LE(testing::error(y, want), testing::tolerance<TypeParam>());
  }
}

TEST(PositionOfDoubles, GradientsMatchCentralDifferences) {
  for (Index leading : {0, 1}) {
    for (Index d : {1, 3, 17}) {
      const Images images(kSizes, leading);
      const Index n = images.n();
      auto x = Array<double>::random({n, d}, 1), rows = Array<double>::random({4, d}, 2),
           columns = Array<double>::random({3, d}, 3), table = Array<double>::random({6, d}, 4);
      const auto dy = Array<double>::random({n, d}, 5);
      Array<double> dx({n, d}), drows({4, d}, 1), dcolumns({3, d}, 2), dtable({6, d}), y({n, d}),
          dsequence({n, d});
      add_grid_positions_backward(in(dy), in(images.offsets), in(images.grid), leading, dx.view(),
                                  drows.view(), dcolumns.view());
      for (Index i = 0; i < 4 * d; ++i) drows[i] -= 1;
      for (Index i = 0; i < 3 * d; ++i) dcolumns[i] -= 2;
      const auto loss = [&] {
        add_grid_positions(in(x), in(images.offsets), in(images.grid), leading, in(rows),
                           in(columns), y.view());
        return testing::dot(y, dy);
      };
      testing::expect_gradient("x", x, dx, loss);
      testing::expect_gradient("rows", rows, drows, loss);
      testing::expect_gradient("columns", columns, dcolumns, loss);
      add_sequence_positions_backward(in(dy), in(images.offsets), dsequence.view(), dtable.view());
      testing::expect_gradient("table", table, dtable, [&] {
        add_sequence_positions(in(x), in(images.offsets), in(table), y.view());
        return testing::dot(y, dy);
      });
      EXPECT_TRUE(same_bits(dsequence, dx));
    }
  }
}

TYPED_TEST(Position, ATokensBitsDoNotKnowThePack) {
  const Index d = 33;
  const Images pack({{3, 5}, {6, 7}, {1, 2}}, 1), alone({{6, 7}}, 1);
  const auto x = Array<TypeParam>::random({pack.n(), d}, 1),
             rows = Array<TypeParam>::random({4, d}, 2),
             columns = Array<TypeParam>::random({3, d}, 3);
  const auto mine = testing::rows_of(x, pack.offsets[1], pack.offsets[2]);
  Array<TypeParam> y({pack.n(), d}), y_alone(mine.shape());
  add_grid_positions(in(x), in(pack.offsets), in(pack.grid), 1, in(rows), in(columns), y.view());
  add_grid_positions(in(mine), in(alone.offsets), in(alone.grid), 1, in(rows), in(columns),
                     y_alone.view());
  EXPECT_TRUE(same_bits(y_alone, testing::rows_of(y, pack.offsets[1], pack.offsets[2])));
}

TYPED_TEST(Position, BitsDoNotDependOnThreads) {
  const Index d = 67, length = 40;
  const Images images({{50, 31}, {20, 40}, {3, 7}}, 1);
  const Index n = images.n();
  const auto x = Array<TypeParam>::random({n, d}, 1),
             rows = Array<TypeParam>::random({length, d}, 2),
             columns = Array<TypeParam>::random({length, d}, 3);
  testing::expect_same_on_threads<TypeParam>(
      {"grid_positions", "grid_positions_backward", "sequence_positions",
       "sequence_positions_backward"},
      [&] {
        Array<TypeParam> y({n, d}), z({n, d}), drows({length, d}), dcolumns({length, d}),
            dtable({length, d});
        add_grid_positions(in(x), in(images.offsets), in(images.grid), 1, in(rows), in(columns),
                           y.view());
        add_grid_positions_backward(in(y), in(images.offsets), in(images.grid), 1,
                                    View<TypeParam>(), drows.view(), dcolumns.view());
        add_sequence_positions(in(x), in(images.offsets), in(rows), z.view());
        add_sequence_positions_backward(in(z), in(images.offsets), View<TypeParam>(),
                                        dtable.view());
        return std::vector{y, z, drows, dcolumns, dtable};
      });
}

TEST(PositionOfDoubles, AGridThatDoesNotFillItsExampleIsNamed) {
  const Images images({{2, 3}}, 1);
  const Array<double> x({7, 2}), table({4, 2}), empty({0, 2});
  Array<double> y({7, 2});
  try {
    add_grid_positions(in(x), in(images.offsets), in(images.grid), 0, in(table), in(table),
                       y.view());
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("example 0 has 7 rows, but a grid of 2 x 3"));
  }
  EXPECT_THROW(add_sequence_positions(in(x), in(images.offsets), in(empty), y.view()), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
