// sparsemax and 1.5-entmax on rows; what softmax_rows_test.cpp says of the softmax is not repeated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/attention/parts.h"
#include "kernels/random.h"
#include "kernels/softmax_rows.h"
#include "tests/reference/attention_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;

constexpr Normaliser kAll[] = {Normaliser::softmax, Normaliser::sparsemax, Normaliser::entmax15};
constexpr Normaliser kSparse[] = {Normaliser::sparsemax, Normaliser::entmax15};

template <class Real>
class Normalisers : public ::testing::Test {
 public:
  static constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Normalisers, Reals);

template <class Real>
Array<Real> normalised(Normaliser normaliser, const Array<Real>& x, Real temperature = 1,
                       const Ids* lengths = nullptr) {
  Array<Real> y(x.shape(), -1);
  normalise_rows(normaliser, in(x), lengths ? in(*lengths) : View<const std::int32_t>(),
                 temperature, y.view());
  return y;
}

// n draws of N(0, σ²).
Array<double> normal_row(Index n, double sigma, std::uint64_t seed) {
  Array<double> x({1, n});
  fill_normal(Stream(seed), sigma, x.view());
  return x;
}

template <class Real>
Array<Real> jacobian_times(Normaliser normaliser, const Array<Real>& y, const Array<Real>& dy) {
  Array<Real> dx(y.shape());
  normalise_rows_backward(normaliser, in(dy), in(y), {}, Real(1), dx.view());
  return dx;
}

// A row of σ · uniform numbers.
template <class Real>
Array<Real> row_of(Index n, double sigma, std::uint64_t seed) {
  auto x = Array<Real>::random({1, n}, seed);
  for (Index j = 0; j < n; ++j) x[j] *= static_cast<Real>(sigma);
  return x;
}

// Supports from one element to all, rows around vectors' widths; the sorted sparsemax and the
// bisected entmax of the reference.
TYPED_TEST(Normalisers, AgreeWithTheirDefinitions) {
  for (const Normaliser normaliser : kSparse) {
    for (const Index n : {1, 2, 7, 16, 17, 100, 1000}) {
      for (const double sigma : {1e-3, 0.1, 1.0, 30.0, 1e4}) {
        const auto x = row_of<TypeParam>(n, sigma, 3);
        std::vector<double> z;
        for (Index j = 0; j < n; ++j) z.push_back(static_cast<double>(x[j]) / 0.5);
        const auto wanted = testing::normaliser_reference(normaliser, z);
        const auto y = normalised(normaliser, x, TypeParam(0.5));
        // z − max is below 1 where y is not 0; the reference subtracts thresholds as large as σ /
        // T.
        const double bound = 8 * std::numeric_limits<TypeParam>::epsilon() + 1e-15 * sigma;
        for (Index j = 0; j < n; ++j)
          ASSERT_NEAR(y[j], wanted[static_cast<std::size_t>(j)], bound)
              << n << " numbers, sigma " << sigma;
      }
    }
  }
}

// Against bisection too: τ is where Σ [x − τ]₊ passes 1.
TEST(Sparsemax, HasTheThresholdThatBisectionFinds) {
  for (const double sigma : {0.05, 0.5, 3.0}) {
    const auto x = row_of<double>(257, sigma, 8);
    double low = -sigma - 1, high = sigma;
    for (int step = 0; step < 100; ++step) {
      const double middle = (low + high) / 2;
      double total = 0;
      for (Index j = 0; j < 257; ++j) total += std::max(x[j] - middle, 0.0);
      (total > 1 ? low : high) = middle;
    }
    const auto y = normalised(Normaliser::sparsemax, x);
    for (Index j = 0; j < 257; ++j) EXPECT_NEAR(y[j], std::max(x[j] - low, 0.0), 1e-14);
  }
}

// T10: one-hot iff the largest leads by 1 (sparsemax) or 2 (1.5-entmax).
TYPED_TEST(Normalisers, AreOneHotFromTheirGapOn) {
  for (const auto& [normaliser, gap] :
       {std::pair{Normaliser::sparsemax, TypeParam(1)}, {Normaliser::entmax15, TypeParam(2)}}) {
    for (const auto& [lead, one_hot] :
         {std::pair{gap, true}, {gap * TypeParam(1.01), true}, {gap * TypeParam(0.99), false}}) {
      Array<TypeParam> x({1, 20});
      x[13] = lead;
      const auto y = normalised(normaliser, x);
      EXPECT_EQ(y[13] == 1, one_hot);
      EXPECT_EQ(y[0] == 0, one_hot);
    }
  }
}

TYPED_TEST(Normalisers, EqualScoresShareEqually) {
  for (const Normaliser normaliser : kSparse) {
    for (const TypeParam value : {TypeParam(-1e4), TypeParam(0), TypeParam(1e4)}) {
      const Array<TypeParam> x({1, 48}, value);
      const auto y = normalised(normaliser, x);
      for (Index j = 0; j < 48; ++j)
        EXPECT_NEAR(y[j], 1.0 / 48, 4 * std::numeric_limits<TypeParam>::epsilon());
    }
  }
}

TYPED_TEST(Normalisers, RowsSumToOneAndIgnoreAShift) {
  for (const Normaliser normaliser : kSparse) {
    auto x = row_of<TypeParam>(301, 2, 4);
    for (Index j = 0; j < 301; ++j)
      x[j] = std::round(x[j] * 64) / 64;  // so that the shift is exact
    auto shifted = x;
    for (Index j = 0; j < 301; ++j) shifted[j] += 8;
    const auto y = normalised(normaliser, x);
    EXPECT_TRUE(testing::same_bits(y, normalised(normaliser, shifted)));
    double total = 0;
    for (Index j = 0; j < 301; ++j) total += y[j];
    EXPECT_NEAR(total, 1, 20 * std::numeric_limits<TypeParam>::epsilon());
  }
}

// T2: rows of the softmax's Jacobian sum to 0, tr J = 1 − Σ p², ‖J‖_F² = Σ p² − 2 Σ p³ + (Σ p²)²;
// T10 for the others: diag(s) − s sᵀ/|s| and diag(u) − u uᵀ/Σ u with u = √p.
TEST(NormaliserJacobians, AreTheClosedForms) {
  const Index n = 20;
  for (const Normaliser normaliser : kAll) {
    const auto y = normalised(normaliser, row_of<double>(n, 1.5, 6));
    std::vector<double> u;
    double whole = 0, p2 = 0, p3 = 0, trace = 0, squares = 0;
    for (Index j = 0; j < n; ++j) {
      const double p = y[j];
      u.push_back(normaliser == Normaliser::softmax     ? p
                  : normaliser == Normaliser::sparsemax ? double(p > 0)
                                                        : std::sqrt(p));
      whole += u.back();
      p2 += p * p;
      p3 += p * p * p;
    }
    for (Index j = 0; j < n; ++j) {
      Array<double> unit({1, n});
      unit[j] = 1;
      const auto column = jacobian_times(normaliser, y, unit);
      double total = 0;
      for (Index i = 0; i < n; ++i) {
        const double wanted =
            (i == j ? u[std::size_t(i)] : 0) - u[std::size_t(i)] * u[std::size_t(j)] / whole;
        EXPECT_NEAR(column[i], wanted, 1e-15);
        total += column[i];
        squares += column[i] * column[i];
      }
      trace += column[j];
      EXPECT_NEAR(total, 0, 1e-15);
    }
    if (normaliser != Normaliser::softmax) continue;
    EXPECT_NEAR(trace, 1 - p2, 1e-14);
    EXPECT_NEAR(squares, p2 - 2 * p3 + p2 * p2, 1e-14);
  }
}

// T2: no direction grows by more than a half in the softmax's Jacobian, and (1, −1) does at (½, ½).
TEST(SoftmaxJacobian, GrowsNothingByMoreThanAHalf) {
  const auto growth = [](const Array<double>& y) {
    const Index n = y.size();
    Array<double> v = row_of<double>(n, 1, 9);
    double norm = 0;
    for (int step = 0; step < 200; ++step) {  // the power method
      norm = 0;
      for (Index j = 0; j < n; ++j) norm += v[j] * v[j];
      for (Index j = 0; j < n; ++j) v[j] /= std::sqrt(norm);
      v = jacobian_times(Normaliser::softmax, y, v);
    }
    norm = 0;
    for (Index j = 0; j < n; ++j) norm += v[j] * v[j];
    return std::sqrt(norm);
  };
  EXPECT_NEAR(growth(normalised(Normaliser::softmax, Array<double>({1, 2}))), 0.5, 1e-15);
  for (const std::uint64_t seed : {1U, 2U, 3U})
    EXPECT_LT(growth(normalised(Normaliser::softmax, row_of<double>(15, 2, seed))), 0.5);
}

// T11: one signal of s among N noise keys of N(0, σ²) gets all the weight iff each of them is 1
// (sparsemax) or 2 (1.5-entmax) below it, with probability Φ((s − gap)/σ)^N.
TEST(Supports, AreTheSignalAloneAsOftenAsTheoryGives) {
  const double s = 5, sigma = 1;
  const int draws = 1500;
  for (const auto& [normaliser, gap, n] : {std::tuple{Normaliser::sparsemax, 1.0, Index(4096)},
                                           {Normaliser::entmax15, 2.0, Index(512)}}) {
    const double wanted =
        std::pow(1 - std::erfc((s - gap) / sigma / std::sqrt(2.0)) / 2, static_cast<double>(n));
    int alone = 0;
    for (int draw = 0; draw < draws; ++draw) {
      auto x = normal_row(n + 1, sigma, static_cast<std::uint64_t>(draw));
      x[0] = s;
      alone += normalised(normaliser, x)[0] == 1;
    }
    const double sd = std::sqrt(wanted * (1 - wanted) / draws);
    EXPECT_NEAR(alone / double(draws), wanted, 4 * sd) << n << " noise keys";
  }
}

double entropy(const Array<double>& p) {
  double h = 0;
  for (Index j = 0; j < p.size(); ++j) h -= p[j] > 0 ? p[j] * std::log(p[j]) : 0;
  return h;
}

// T9 (Zhai et al. 2023): logits of 64 keys whose centred norm is 5 leave the softmax an entropy of
// 1.8026 at least, which one raised logit attains.
TEST(SoftmaxEntropy, HasItsLeastValueForOneRaisedLogit) {
  const Index n = 64;
  const double sigma = 5, beta = std::exp(-sigma * std::sqrt(n / double(n - 1)));
  const double least = std::log(1 + (n - 1) * beta) +
                       sigma * std::sqrt(n * double(n - 1)) * beta / (1 + (n - 1) * beta);
  EXPECT_NEAR(least, 1.8026, 5e-5);
  Array<double> raised({1, n});
  raised[20] = sigma * std::sqrt(n / double(n - 1));
  EXPECT_NEAR(entropy(normalised(Normaliser::softmax, raised)), least, 1e-13);
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    auto x = row_of<double>(n, 1, seed);
    double mean = 0, squares = 0;
    for (Index j = 0; j < n; ++j) {
      x[j] = std::pow(x[j], 9);  // heavy tails come nearer to the bound
      mean += x[j] / n;
    }
    for (Index j = 0; j < n; ++j) squares += std::pow(x[j] - mean, 2);
    for (Index j = 0; j < n; ++j) x[j] *= sigma / std::sqrt(squares);
    EXPECT_GT(entropy(normalised(Normaliser::softmax, x)), least);
  }
}

// T12: the mean number of weights above 0 over scores N(0, σ²), against its mean-field equation: of
// sparsemax the count is 0.6 to 0.85 above it, of 1.5-entmax within 4 %.
TEST(Supports, HaveTheSizeThatTheoryGives) {
  const Index n = 1024;
  const auto tail = [](double t) { return std::erfc(t / std::sqrt(2.0)) / 2; };
  const auto density = [](double t) { return std::exp(-t * t / 2) / std::sqrt(2 * M_PI); };
  const auto predicted = [&](Normaliser normaliser, double sigma) {
    double low = -8, high = 8;
    for (int step = 0; step < 100; ++step) {
      const double t = (low + high) / 2;
      const double mass = normaliser == Normaliser::sparsemax
                              ? n * sigma * (density(t) - t * tail(t))
                              : n * sigma * sigma / 4 * ((1 + t * t) * tail(t) - t * density(t));
      (mass > 1 ? low : high) = t;
    }
    return n * tail(low);
  };
  for (const Normaliser normaliser : kSparse) {
    for (const double sigma : {0.1, 0.5}) {
      const int draws = 400;
      double support = 0;
      for (int draw = 0; draw < draws; ++draw) {
        const auto y = normalised(normaliser, normal_row(n, sigma, 1000U + std::uint64_t(draw)));
        for (Index j = 0; j < n; ++j) support += y[j] > 0 ? 1.0 / draws : 0;
      }
      const double theory = predicted(normaliser, sigma);
      if (normaliser == Normaliser::sparsemax) {
        EXPECT_GT(support, theory + 0.4) << sigma;
        EXPECT_LT(support, theory + 1.0) << sigma;
      } else {
        EXPECT_NEAR(support, theory, 0.04 * theory) << sigma;
      }
    }
  }
}

TYPED_TEST(Normalisers, LengthsEmptyRowsAndInfinitiesAreAsForTheSoftmax) {
  for (const Normaliser normaliser : kSparse) {
    Array<TypeParam> x({5, 21}, -this->kInfinity);
    for (Index j = 0; j < 21; ++j)
      x[42 + j] = x[63 + j] = x[84 + j] = TypeParam(0.125) * TypeParam(j % 3);
    x[42 + 5] = -this->kInfinity;
    x[63 + 5] = std::numeric_limits<TypeParam>::quiet_NaN();
    x[84 + 5] = this->kInfinity;
    const Ids lengths = testing::ids({0, 21, 20, 21, 21});
    const auto y = normalised(normaliser, x, TypeParam(1), &lengths);
    for (Index j = 0; j < 42; ++j) EXPECT_EQ(y[j], 0) << "of length 0, and of −inf alone";
    EXPECT_EQ(y[42 + 5], 0);
    EXPECT_EQ(y[42 + 20], 0) << "beyond the length";
    EXPECT_GT(y[42 + 2], 0);
    for (Index j = 63; j < 105; ++j) EXPECT_TRUE(std::isnan(y[j])) << j;
    const auto dx = jacobian_times(normaliser, y, Array<TypeParam>({5, 21}, 1));
    for (Index j = 0; j < 42; ++j) EXPECT_EQ(dx[j], 0);
    for (Index j = 63; j < 105; ++j) EXPECT_TRUE(std::isnan(dx[j])) << j;
  }
}

TYPED_TEST(Normalisers, BitsDoNotDependOnThreadsOrOtherRows) {
  for (const Normaliser normaliser : kSparse) {
    auto x = Array<TypeParam>::random({801, 67}, 1);
    const auto dy = Array<TypeParam>::random({801, 67}, 2);
    const bool sparsemax = normaliser == Normaliser::sparsemax;
    testing::expect_same_on_threads<TypeParam>(
        {sparsemax ? "sparsemax" : "entmax15",
         sparsemax ? "sparsemax_backward" : "entmax15_backward"},
        [&] {
          const auto y = normalised(normaliser, x);
          return std::vector{y, jacobian_times(normaliser, y, dy)};
        });
    EXPECT_TRUE(testing::same_bits(normalised(normaliser, testing::rows_of(x, 400, 401)),
                                   testing::rows_of(normalised(normaliser, x), 400, 401)));
  }
}

}  // namespace
}  // namespace attune::kernels
