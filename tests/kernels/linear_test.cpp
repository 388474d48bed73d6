#include "kernels/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "kernels/outer_products.h"
#include "kernels/parallel.h"
#include "tests/reference/random_views.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::same_bits;

const std::tuple<Index, Index, Index> kSizes[] = {
    {1, 1, 1},    {0, 3, 4},     {3, 0, 4},      {3, 4, 0},      {5, 16, 33},
    {97, 64, 65}, {300, 17, 31}, {130, 129, 70}, {600, 64, 100}, {517, 70, 3}};

template <class Real>
class Linear : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Linear, Reals);

template <class Real>
struct Layer {
  Index n, d_in, d_out;
  Array<Real> x, weight, bias, dy, y, dx, dweight, dbias;

  Layer(Index n_, Index d_in_, Index d_out_)
      : n(n_),
        d_in(d_in_),
        d_out(d_out_),
        x(Array<Real>::random({n, d_in}, 1)),
        weight(Array<Real>::random({d_out, d_in}, 2)),
        bias(Array<Real>::random({d_out}, 3)),
        dy(Array<Real>::random({n, d_out}, 4)),
        y({n, d_out}),
        dx(Array<Real>::random({n, d_in}, 5)),
        dweight(Array<Real>::random({d_out, d_in}, 6)),
        dbias(Array<Real>::random({d_out}, 7)) {}
  void run() {
    linear<Real>(x.view(), weight.view(), bias.view(), y.view());
    linear_backward_input<Real>(dy.view(), weight.view(), dx.view());
    linear_backward_weight<Real>(dy.view(), x.view(), dweight.view());
    linear_backward_bias<Real>(dy.view(), dbias.view());
  }
};

// y_ij, dx_ij and dW_ij are fma chains over inputs, outputs and tokens, from the bias and from what
// stood there; those over tokens are cut into parts.
TYPED_TEST(Linear, ProductsAreChainsInTheOrderTheHeaderNames) {
  using Real = TypeParam;
  for (const auto& [n, d_in, d_out] : kSizes) {
    Layer<Real> layer(n, d_in, d_out);
    const Layer<Real> before = layer;
    layer.run();
    auto y = before.y, dx = before.dx, dweight = before.dweight;
    const Index part = (n + outer_parts(n) - 1) / outer_parts(n);
    std::vector<Array<Real>> later(static_cast<std::size_t>(outer_parts(n) - 1),
                                   Array<Real>(dweight.shape()));
    for (Index i = 0; i < n; ++i) {
      for (Index o = 0; o < d_out; ++o) {
        y[i * d_out + o] = layer.bias[o];
        for (Index c = 0; c < d_in; ++c) {
          y[i * d_out + o] =
              std::fma(layer.x[i * d_in + c], layer.weight[o * d_in + c], y[i * d_out + o]);
          dx[i * d_in + c] =
              std::fma(layer.dy[i * d_out + o], layer.weight[o * d_in + c], dx[i * d_in + c]);
          auto& sum = i < part ? dweight : later[static_cast<std::size_t>(i / part - 1)];
          sum[o * d_in + c] =
              std::fma(layer.dy[i * d_out + o], layer.x[i * d_in + c], sum[o * d_in + c]);
        }
      }
    }
    for (const auto& sum : later)
      for (Index e = 0; e < sum.size(); ++e) dweight[e] += sum[e];
    EXPECT_TRUE(same_bits(layer.y, y)) << n << " " << d_in << " " << d_out;
    EXPECT_TRUE(same_bits(layer.dx, dx)) << n << " " << d_in << " " << d_out;
    EXPECT_TRUE(same_bits(layer.dweight, dweight)) << n << " " << d_in << " " << d_out;
  }
}

TYPED_TEST(Linear, BiasGradientsAreColumnSums) {
  using Real = TypeParam;
  for (const auto& [n, d_in, d_out] : kSizes) {
    Layer<Real> layer(n, d_in, d_out);
    const Layer<Real> before = layer;
    layer.run();
    for (Index o = 0; o < d_out; ++o) {
      double sum = before.dbias[o], magnitudes = std::abs(sum);
      for (Index i = 0; i < n; ++i) {
        sum += layer.dy[i * d_out + o];
        magnitudes += std::abs(static_cast<double>(layer.dy[i * d_out + o]));
      }
      EXPECT_NEAR(layer.dbias[o], sum,
                  magnitudes * static_cast<double>(n + 1) * std::numeric_limits<Real>::epsilon());
    }
  }
}

// The gradient of the weight brings the bias's with it; gradients that are fresh are written.
TYPED_TEST(Linear, FusedAndFreshGradientsAreTheSame) {
  using Real = TypeParam;
  for (const auto& [n, d_in, d_out] : kSizes) {
    Layer<Real> layer(n, d_in, d_out), zeros(n, d_in, d_out);
    std::fill(layer.dbias.view().begin(), layer.dbias.view().end(), Real(0));
    linear_backward_weight<Real>(layer.dy.view(), layer.x.view(), layer.dweight.view(),
                                 layer.dbias.view());
    Layer<Real> alone(n, d_in, d_out);
    alone.run();
    EXPECT_TRUE(same_bits(layer.dweight, alone.dweight));
    for (Index o = 0; o < d_out; ++o) {
      double sum = 0, magnitudes = 0;
      for (Index i = 0; i < n; ++i) {
        sum += layer.dy[i * d_out + o];
        magnitudes += std::abs(static_cast<double>(layer.dy[i * d_out + o]));
      }
      EXPECT_NEAR(layer.dbias[o], sum,
                  magnitudes * static_cast<double>(n + 1) * std::numeric_limits<Real>::epsilon());
    }
    std::fill(zeros.dx.view().begin(), zeros.dx.view().end(), Real(0));
    linear_backward_input<Real>(layer.dy.view(), layer.weight.view(), zeros.dx.view());
    std::fill(layer.dx.view().begin(), layer.dx.view().end(),
              std::numeric_limits<Real>::quiet_NaN());
    linear_backward_input<Real>(layer.dy.view(), layer.weight.view(), layer.dx.view(), true);
    EXPECT_TRUE(same_bits(layer.dx, zeros.dx));
  }
}

TYPED_TEST(Linear, BitsDoNotDependOnTheNumberOfThreads) {
  using Real = TypeParam;
  Layer<Real> serial(1001, 129, 390);
  const Layer<Real> fresh = serial;
  serial.run();
  for (const int count : {1, 2, 4}) {
    Layer<Real> layer = fresh;
    Threads threads(count);
    threads.run([&] { layer.run(); });
    EXPECT_TRUE(same_bits(layer.y, serial.y) && same_bits(layer.dx, serial.dx))
        << count << " threads";
    EXPECT_TRUE(same_bits(layer.dweight, serial.dweight) && same_bits(layer.dbias, serial.dbias))
        << count << " threads";
    for (const char* kernel :
         {"linear", "linear_backward_input", "linear_backward_weight", "linear_backward_bias"}) {
      EXPECT_EQ(threads.splits().count(kernel), count > 1 ? 1U : 0U) << kernel;
    }
  }
}

TYPED_TEST(Linear, WithoutBiasStartsFromZero) {
  Layer<TypeParam> layer(7, 5, 3);
  Array<TypeParam> zeros({3}), y({7, 3});
  linear<TypeParam>(layer.x.view(), layer.weight.view(), zeros.view(), layer.y.view());
  linear<TypeParam>(layer.x.view(), layer.weight.view(), {}, y.view());
  EXPECT_TRUE(same_bits(y, layer.y));
}

TYPED_TEST(Linear, ANaNStaysInItsRow) {
  Layer<TypeParam> layer(70, 33, 65);
  layer.x[20 * 33 + 7] = std::numeric_limits<TypeParam>::quiet_NaN();
  layer.run();
  for (Index i = 0; i < layer.y.size(); ++i) ASSERT_EQ(std::isnan(layer.y[i]), i / 65 == 20) << i;
}

TEST(LinearErrors, NameTheShapesAndWhatTheyMustBe) {
  const auto message = [](auto call) {
    try {
      call();
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Array<float> x({2, 3}), weight({4, 5}), y({2, 4}), bias({3});
  EXPECT_THAT(message([&] { linear<float>(x.view(), weight.view(), {}, y.view()); }),
              ::testing::HasSubstr("outputs [2, 4], inputs [2, 3] and weight [4, 5] don't fit"));
  Array<float> fitting({4, 3});
  EXPECT_THAT(message([&] { linear<float>(x.view(), fitting.view(), bias.view(), y.view()); }),
              ::testing::HasSubstr("bias [3] must hold one value a row of weight [4, 3]"));
  EXPECT_THAT(message([&] { linear_backward_bias<float>(y.view(), bias.view()); }),
              ::testing::HasSubstr("dbias [3] must hold one value a column of dy [2, 4]"));
}

}  // namespace
}  // namespace attune::kernels
