#include "kernels/columns.h"

#include <gmock/gmock.h>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::in;
using testing::same_bits;

template <class Real>
class Columns : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Columns, Reals);

TYPED_TEST(Columns, StandSideBySide) {
  for (const auto& [n, d_a, d_b] : std::vector<std::array<Index, 3>>{
           {1, 1, 1}, {3, 5, 16}, {7, 17, 1}, {2, 0, 4}, {0, 3, 4}, {2, 4, 0}}) {
    const auto a = Array<TypeParam>::random({n, d_a}, 1);
    const auto b = Array<TypeParam>::random({n, d_b}, 2);
    Array<TypeParam> y({n, d_a + d_b}, -1);
    concat_columns(in(a), in(b), y.view());
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < d_a; ++j) EXPECT_EQ(y[i * (d_a + d_b) + j], a[i * d_a + j]);
      for (Index j = 0; j < d_b; ++j) EXPECT_EQ(y[i * (d_a + d_b) + d_a + j], b[i * d_b + j]);
    }
  }
}

TYPED_TEST(Columns, MeanOfHeadsIsTheSumInOrderOverTheirNumber) {
  for (const auto& [n, heads, d] :
       std::vector<std::array<Index, 3>>{{1, 1, 1}, {3, 5, 16}, {7, 8, 7}, {2, 3, 33}, {0, 2, 4}}) {
    const auto x = Array<TypeParam>::random({n, heads * d}, 1);
    Array<TypeParam> y({n, d}, -1);
    mean_heads(heads, in(x), y.view());
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < d; ++j) {
        TypeParam total = 0;
        for (Index h = 0; h < heads; ++h) total += x[(i * heads + h) * d + j];
        EXPECT_EQ(y[i * d + j], total * (1 / static_cast<TypeParam>(heads)));
      }
    }
  }
}

TEST(ColumnsOfDoubles, GradientsMatchCentralDifferences) {
  const Index n = 3, heads = 3, d = 6;
  auto x = Array<double>::random({n, heads * d}, 1), b = Array<double>::random({n, 4}, 2);
  const auto dy = Array<double>::random({n, d}, 3);
  const auto dwide = Array<double>::random({n, heads * d + 4}, 4);
  Array<double> dx(x.shape(), 2), da(x.shape(), 1), db(b.shape(), 1), y(dy.shape());
  Array<double> wide(dwide.shape());
  mean_heads_backward(heads, in(dy), dx.view());
  concat_columns_backward(in(dwide), da.view(), db.view());
  Array<double> alone(x.shape(), 1), b_alone(b.shape(), 1);
  concat_columns_backward(in(dwide), alone.view(), {});
  concat_columns_backward(in(dwide), {}, b_alone.view());
  EXPECT_TRUE(same_bits(alone, da));
  EXPECT_TRUE(same_bits(b_alone, db));
  for (Index i = 0; i < x.size(); ++i) {
    dx[i] -= 2;  // backward adds
    da[i] -= 1;
  }
  for (Index i = 0; i < b.size(); ++i) db[i] -= 1;
  testing::expect_gradient("x", x, dx, [&] {
    mean_heads(heads, in(x), y.view());
    return testing::dot(y, dy);
  });
  const auto concat = [&] {
    concat_columns(in(x), in(b), wide.view());
    return testing::dot(wide, dwide);
  };
  testing::expect_gradient("a", x, da, concat);
  testing::expect_gradient("b", b, db, concat);
}

TYPED_TEST(Columns, BitsDoNotDependOnThreads) {
  const Index n = 3001, heads = 4, d = 17;
  const auto x = Array<TypeParam>::random({n, heads * d}, 1);
  testing::expect_same_on_threads<TypeParam>(
      {"concat_columns", "concat_columns_backward", "mean_heads", "mean_heads_backward"}, [&] {
        Array<TypeParam> y({n, d}), wide({n, heads * d + d}), dx(x.shape()), dy({n, d});
        mean_heads(heads, in(x), y.view());
        concat_columns(in(x), in(y), wide.view());
        concat_columns_backward(in(wide), dx.view(), dy.view());
        mean_heads_backward(heads, in(dy), dx.view());
        return std::vector{y, wide, dx, dy};
      });
}

TEST(ColumnsOfDoubles, OperandsThatDoNotFitAreNamed) {
  const Array<double> a({3, 4}), b({2, 4});
  Array<double> y({3, 8});
  EXPECT_THROW(concat_columns(in(a), in(b), y.view()), ShapeError);
  try {
    mean_heads(3, in(a), y.view());
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("x has 4 columns, which 3 heads do not divide"));
  }
}

}  // namespace
}  // namespace attune::kernels
