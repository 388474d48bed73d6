#include "train/logistic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace attune {
namespace {

// Two hundred examples of three classes with overlapping clouds: a fit that is neither perfect nor
// at chance.
struct Clouds {
  Features x{200, 7, {}};
  std::vector<std::int32_t> target;
  Clouds() {
    const Stream s(5, "test", "clouds");
    x.values.resize(static_cast<std::size_t>(x.n * x.d));
    for (Index i = 0; i < x.n; ++i) {
      target.push_back(static_cast<std::int32_t>(i % 3));
      for (Index j = 0; j < x.d; ++j)
        x.column(j)[i] = s.uniform(static_cast<std::uint64_t>(j), static_cast<std::uint32_t>(i)) +
                         (j == i % 3 ? 0.4 : 0.0);
    }
  }
};

double norm(const std::vector<double>& v) {
  double squares = 0;
  for (const double x : v) squares += x * x;
  return std::sqrt(squares);
}

TEST(Logistic, ItsGradientIsThatOfItsObjective) {
  const Clouds data;
  LogisticModel m = zero_model(3, data.x.d);
  const Stream s(6, "test", "weights");
  for (std::size_t p = 0; p < m.weight.size(); ++p) m.weight[p] = s.uniform(p) - 0.5;
  for (std::size_t p = 0; p < 3; ++p) m.intercept[p] = s.uniform(p, 1) - 0.5;
  std::vector<double> gradient, unused;
  logistic_objective(m, data.x, data.target, 0.3, gradient);
  constexpr double h = 1e-5;  // central differences of a smooth f of order 1: error below 1e-9
  for (std::size_t p = 0; p < gradient.size(); ++p) {
    double& parameter = p < m.weight.size() ? m.weight[p] : m.intercept[p - m.weight.size()];
    const double at = parameter;
    parameter = at + h;
    const double up = logistic_objective(m, data.x, data.target, 0.3, unused);
    parameter = at - h;
    const double down = logistic_objective(m, data.x, data.target, 0.3, unused);
    parameter = at;
    EXPECT_NEAR(gradient[p], (up - down) / (2 * h), 1e-9) << p;
  }
}

TEST(Logistic, TheFitIsAMinimum) {
  const Clouds data;
  for (const double lambda : {10.0, 0.1, 0.001}) {
    const LogisticModel m = fit_logistic(data.x, data.target, lambda, zero_model(3, data.x.d));
    std::vector<double> gradient;
    const double least = logistic_objective(m, data.x, data.target, lambda, gradient);
    EXPECT_LE(norm(gradient), kLogisticTolerance);
    const Stream s(7, "test", "steps");
    for (std::uint32_t k = 0; k < 20; ++k) {
      LogisticModel other = m;
      for (std::size_t p = 0; p < m.weight.size(); ++p)
        other.weight[p] += 0.01 * (s.uniform(p, k) - 0.5);
      EXPECT_GT(logistic_objective(other, data.x, data.target, lambda, gradient), least);
    }
  }
}

TEST(Logistic, WhereItBeginsDoesNotMatter) {
  const Clouds data;
  const LogisticModel cold = fit_logistic(data.x, data.target, 0.03, zero_model(3, data.x.d));
  const LogisticModel warm = fit_logistic(
      data.x, data.target, 0.03, fit_logistic(data.x, data.target, 3, zero_model(3, data.x.d)));
  // |∇f| ≤ 1e-6 and curvature of at least λ: weights within 1e-6 / λ.
  for (std::size_t p = 0; p < cold.weight.size(); ++p)
    EXPECT_NEAR(cold.weight[p], warm.weight[p], 2e-6 / 0.03);
}

// x = +1 for one class, −1 for the other: by symmetry weights ±a with −σ(−2a) + λa = 0.
TEST(Logistic, OfOneSymmetricFeatureHasAClosedForm) {
  const Features x{4, 1, {1, 1, -1, -1}};
  const std::vector<std::int32_t> target = {1, 1, 0, 0};
  for (const double a : {0.5, 1.0, 2.0}) {
    const double lambda = 1 / (1 + std::exp(2 * a)) / a;
    const LogisticModel m = fit_logistic(x, target, lambda, zero_model(2, 1));
    EXPECT_NEAR(m.weight[1], a, 1e-4);
    EXPECT_NEAR(m.weight[0], -a, 1e-4);
    EXPECT_NEAR(m.intercept[0], m.intercept[1], 1e-6);
  }
}

// What knows nothing of an example gives the classes' shares.
TEST(Logistic, OfAConstantFeatureGivesTheSharesOfTheClasses) {
  Features x{10, 1, std::vector<double>(10, 3.0)};
  const std::vector<std::int32_t> target = {0, 1, 1, 1, 1, 2, 2, 2, 2, 2};
  Standardiser(x).apply(x);
  const std::vector<double> z = fit_logistic(x, target, 0.1, zero_model(3, 1)).logits(x);
  EXPECT_NEAR(z[1] - z[0], std::log(4.0), 1e-4);
  EXPECT_NEAR(z[2] - z[0], std::log(5.0), 1e-4);
}

TEST(Logistic, OfSeparableClassesConvergesToo) {
  Features x{40, 2, std::vector<double>(80)};
  std::vector<std::int32_t> target;
  for (Index i = 0; i < 40; ++i) {
    target.push_back(static_cast<std::int32_t>(i % 2));
    x.column(0)[i] = static_cast<double>(i % 2) - 0.5;
    x.column(1)[i] = 0.01 * static_cast<double>(i);
  }
  const LogisticModel m = fit_logistic(x, target, 1e-3, zero_model(2, 2));
  std::vector<double> gradient;
  logistic_objective(m, x, target, 1e-3, gradient);
  EXPECT_LE(norm(gradient), kLogisticTolerance);
}

TEST(Logistic, ValuesThatAreNotFiniteAreAnError) {
  const Features x{2, 1, {1, std::nan("")}};
  EXPECT_THROW(fit_logistic(x, std::vector<std::int32_t>{0, 1}, 1, zero_model(2, 1)), NumericError);
}

TEST(Standardiser, GivesMeanZeroAndVarianceOneWhereItWasMeasured) {
  Clouds data;
  Features other{1, 7, std::vector<double>(7, 2.0)};
  const double mean0 = [&] {
    double sum = 0;
    for (Index i = 0; i < data.x.n; ++i) sum += data.x.column(0)[i];
    return sum / 200;
  }();
  double squares0 = 0;
  for (Index i = 0; i < data.x.n; ++i) squares0 += std::pow(data.x.column(0)[i] - mean0, 2);
  const Standardiser s(data.x);
  s.apply(data.x);
  s.apply(other);
  for (Index j = 0; j < data.x.d; ++j) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < data.x.n; ++i) {
      sum += data.x.column(j)[i];
      squares += data.x.column(j)[i] * data.x.column(j)[i];
    }
    EXPECT_NEAR(sum, 0, 1e-10);
    EXPECT_NEAR(squares / 200, 1, 1e-10);
  }
  EXPECT_NEAR(other.values[0], (2 - mean0) / std::sqrt(squares0 / 200), 1e-10);
}

}  // namespace
}  // namespace attune
