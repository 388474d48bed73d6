#include "kernels/gemm.h"

// GCC 12 warns of its own AVX-512 header where Eigen uses it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <limits>
#include <tuple>

#include "kernels/parallel.h"
#include "tests/reference/random_views.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::same_bits;

template <class Real>
class Gemm : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Reals);

enum class Start { zero, bias, itself };

// The contract, word for word.
template <class Real>
Array<Real> chain(Index m, Index n, Index k, Matrix<const Real> a, Matrix<const Real> b,
                  Matrix<const Real> start) {
  Array<Real> c({m, n});
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      Real acc = start.data == nullptr ? Real(0) : start.data[i * start.row + j];
      for (Index p = 0; p < k; ++p)
        acc = std::fma(a.data[i * a.row + p * a.col], b.data[p * b.row + j * b.col], acc);
      c[i * n + j] = acc;
    }
  }
  return c;
}

const std::tuple<Index, Index, Index> kSizes[] = {
    {1, 1, 1},    {5, 3, 2},    {6, 64, 16},   {7, 65, 17},    {13, 31, 129},  {97, 48, 64},
    {101, 77, 3}, {192, 64, 5}, {19, 16, 601}, {200, 130, 33}, {3, 200, 1100}, {16, 15, 128}};

TYPED_TEST(Gemm, EveryElementIsOneFmaChainOverKInOrder) {
  using Real = TypeParam;
  for (const auto& [m, n, k] : kSizes) {
    for (const bool b_transposed : {false, true}) {
      for (const Start from : {Start::zero, Start::bias, Start::itself}) {
        const auto a = Array<Real>::random({m, k}, 1), b = Array<Real>::random({k, n}, 2);
        auto c = Array<Real>::random({m, n}, 3);
        const auto bias = Array<Real>::random({n}, 4);
        const Matrix<const Real> am{a.view().data(), k, 1};
        const Matrix<const Real> bm = b_transposed ? Matrix<const Real>{b.view().data(), 1, k}
                                                   : Matrix<const Real>{b.view().data(), n, 1};
        const Matrix<const Real> start = from == Start::zero ? Matrix<const Real>{nullptr, 0, 1}
                                         : from == Start::bias
                                             ? Matrix<const Real>{bias.view().data(), 0, 1}
                                             : Matrix<const Real>{c.view().data(), n, 1};
        const auto expected = chain<Real>(m, n, k, am, bm, start);
        gemm<Real>("gemm", m, n, k, am, bm, start, {c.view().data(), n, 1});
        EXPECT_TRUE(same_bits(c, expected)) << m << "x" << n << "x" << k << " transposed "
                                            << b_transposed << " start " << static_cast<int>(from);
      }
    }
  }
}

// A second opinion that shares no loop with ours: the sum of k terms below 1 is right to k/2 ulp of
// its magnitudes.
TYPED_TEST(Gemm, AgreesWithEigenInDouble) {
  using Real = TypeParam;
  using Wide = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Given =
      Eigen::Map<const Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  for (const auto& [m, n, k] : kSizes) {
    const auto a = Array<Real>::random({m, k}, 5), b = Array<Real>::random({k, n}, 6);
    Array<Real> c({m, n});
    gemm<Real>("gemm", m, n, k, {a.view().data(), k, 1}, {b.view().data(), n, 1}, {nullptr, 0, 1},
               {c.view().data(), n, 1});
    const Wide wa = Given(a.view().data(), m, k).template cast<double>();
    const Wide wb = Given(b.view().data(), k, n).template cast<double>();
    const Wide error = (Given(c.view().data(), m, n).template cast<double>() - wa * wb).cwiseAbs();
    const Wide bound = wa.cwiseAbs() * wb.cwiseAbs() * static_cast<double>(k) *
                       std::numeric_limits<Real>::epsilon();
    EXPECT_TRUE((error.array() <= bound.array()).all()) << m << "x" << n << "x" << k;
  }
}

TYPED_TEST(Gemm, ARowsBitsDependOnThatRowAlone) {
  using Real = TypeParam;
  const Index k = 129, n = 77, n_rows = 211;
  const auto a = Array<Real>::random({n_rows, k}, 7), b = Array<Real>::random({k, n}, 8);
  Array<Real> whole({n_rows, n});
  gemm<Real>("gemm", n_rows, n, k, {a.view().data(), k, 1}, {b.view().data(), n, 1},
             {nullptr, 0, 1}, {whole.view().data(), n, 1});
  for (const Index rows : {1, 3, 6, 8, 95, 97}) {
    for (const Index first : {0, 1, 5, 113}) {
      Array<Real> part({rows, n});
      gemm<Real>("gemm", rows, n, k, {a.view().data() + first * k, k, 1}, {b.view().data(), n, 1},
                 {nullptr, 0, 1}, {part.view().data(), n, 1});
      EXPECT_EQ(0, std::memcmp(part.view().data(), whole.view().row(first),
                               static_cast<std::size_t>(rows * n) * sizeof(Real)))
          << rows << " rows from " << first;
    }
  }
}

TYPED_TEST(Gemm, BitsDoNotDependOnTheNumberOfThreads) {
  using Real = TypeParam;
  const Index m = 301, n = 130, k = 200;
  const auto a = Array<Real>::random({m, k}, 9), b = Array<Real>::random({k, n}, 10);
  for (const bool b_transposed : {false, true}) {
    const Matrix<const Real> bm = b_transposed ? Matrix<const Real>{b.view().data(), 1, k}
                                               : Matrix<const Real>{b.view().data(), n, 1};
    Array<Real> serial({m, n});
    gemm<Real>("gemm", m, n, k, {a.view().data(), k, 1}, bm, {nullptr, 0, 1},
               {serial.view().data(), n, 1});
    for (const int count : {1, 2, 4}) {
      Threads threads(count);
      Array<Real> c({m, n});
      threads.run([&] {
        gemm<Real>("gemm", m, n, k, {a.view().data(), k, 1}, bm, {nullptr, 0, 1},
                   {c.view().data(), n, 1});
      });
      EXPECT_TRUE(same_bits(c, serial)) << count << " threads";
      EXPECT_EQ(count > 1, threads.splits().count("gemm") == 1) << count << " threads";
    }
  }
}

TYPED_TEST(Gemm, ElementsOutsideTheProductAreNotTouched) {
  using Real = TypeParam;
  const Index m = 7, n = 21, k = 9, stride = 40;
  const auto a = Array<Real>::random({m, k}, 11), b = Array<Real>::random({k, n}, 12);
  Array<Real> c({m, stride}, Real(42));
  gemm<Real>("gemm", m, n, k, {a.view().data(), k, 1}, {b.view().data(), n, 1}, {nullptr, 0, 1},
             {c.view().data(), stride, 1});
  for (Index i = 0; i < m; ++i) {
    for (Index j = n; j < stride; ++j) ASSERT_EQ(c[i * stride + j], Real(42)) << i << ", " << j;
  }
}

TYPED_TEST(Gemm, EmptyProductsAreTheirStart) {
  using Real = TypeParam;
  auto c = Array<Real>::random({3, 4}, 13);
  const auto bias = Array<Real>::random({4}, 14);
  const Real none = 0;
  gemm<Real>("gemm", 3, 4, 0, {&none, 0, 1}, {&none, 4, 1}, {bias.view().data(), 0, 1},
             {c.view().data(), 4, 1});
  for (Index i = 0; i < 12; ++i) EXPECT_EQ(c[i], bias[i % 4]);
  gemm<Real>("gemm", 0, 4, 3, {&none, 3, 1}, {&none, 4, 1}, {nullptr, 0, 1},
             {c.view().data(), 4, 1});
  gemm<Real>("gemm", 3, 0, 3, {&none, 3, 1}, {&none, 0, 1}, {nullptr, 0, 1},
             {c.view().data(), 0, 1});
  for (Index i = 0; i < 12; ++i) EXPECT_EQ(c[i], bias[i % 4]);
}

TEST(GemmErrors, StridesThatNoPackingReadsAreRefused) {
  const float x[4] = {};
  float y[1];
  const Matrix<const float> whole{x, 1, 1}, columns{x, 1, 2}, neither{x, 2, 2};
  const auto product = [&](Matrix<const float> a, Matrix<const float> b, Matrix<float> c) {
    gemm<float>("gemm", 1, 1, 1, a, b, {nullptr, 0, 1}, c);
  };
  EXPECT_NO_THROW(product(whole, columns, {y, 1, 1}));
  EXPECT_THROW(product(columns, whole, {y, 1, 1}), ShapeError);
  EXPECT_THROW(product(whole, neither, {y, 1, 1}), ShapeError);
  EXPECT_THROW(product(whole, whole, {y, 1, 2}), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
