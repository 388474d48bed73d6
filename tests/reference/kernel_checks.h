#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/parallel.h"
#include "tests/reference/random_views.h"

// The checks that every kernel goes through, whatever it computes.
namespace attune::testing {

using Ids = Array<std::int32_t>;

inline Ids ids(const std::vector<std::int32_t>& values) {
  Ids a({static_cast<Index>(values.size())});
  std::copy(values.begin(), values.end(), a.view().begin());
  return a;
}

// An absent operand.
template <class Real>
View<const Real> none() {
  return {};
}
template <class Real>
View<Real> no_gradient() {
  return {};
}

// A const view, so that calls deduce Real.
template <class Real>
View<const Real> in(const Array<Real>& a) {
  return a.view();
}

inline Array<double> widened(const Array<float>& a) {
  Array<double> w(a.shape());
  for (Index i = 0; i < a.size(); ++i) w[i] = static_cast<double>(a[i]);
  return w;
}
inline Array<double> widened(const Array<double>& a) { return a; }

// Largest |got − want| over max(1, largest |want|). NaN in one alone is infinite error.
template <class Real>
double error(const Array<Real>& got, const Array<double>& want) {
  EXPECT_EQ(got.shape(), want.shape());
  double worst = 0, scale = 1;
  for (Index i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got[i]);
    if (std::isnan(g) != std::isnan(want[i])) return HUGE_VAL;
    if (std::isnan(g) || g == want[i]) continue;
    worst = std::max(worst, std::fabs(g - want[i]));
    scale = std::max(scale, std::fabs(want[i]));
  }
  return worst / scale;
}

// Rounding a kernel may add: 32 ulp of the largest value, for sums of up to about a hundred terms.
template <class Real>
double tolerance() {
  return sizeof(Real) == 4 ? 2e-6 : 4e-15;
}

inline double dot(const Array<double>& a, const Array<double>& b) {
  double total = 0;
  for (Index i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

// dx against central differences of `loss`, which reads x; in double. Differences of order h²
// and rounding of 1e-16 / h meet near h = 1e-5: 1e-7 of the largest gradient is generous for
// neither. A gradient that is zero throughout would prove nothing, and fails.
inline void expect_gradient(const char* of, Array<double>& x, const Array<double>& dx,
                            const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  double worst = 0, largest = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double old = x[i];
    x[i] = old + kStep;
    const double above = loss();
    x[i] = old - kStep;
    const double below = loss();
    x[i] = old;
    const double numeric = (above - below) / (2 * kStep);
    worst = std::max(worst, std::fabs(numeric - dx[i]));
    largest = std::max({largest, std::fabs(numeric), std::fabs(dx[i])});
  }
  EXPECT_GT(largest, 0) << "the gradient of " << of << " is zero throughout";
  EXPECT_LT(worst, 1e-7 * std::max(largest, 0.1)) << "gradient of " << of;
}

// The bits that `compute` returns at 1, 2 and 4 threads; at 2 and 4 the kernels named must really
// have split.
template <class Real>
void expect_same_on_threads(const std::vector<const char*>& must_split,
                            const std::function<std::vector<Array<Real>>()>& compute) {
  std::vector<Array<Real>> serial;
  kernels::Threads(1).run([&] { serial = compute(); });
  for (int n : {2, 4}) {
    kernels::Threads threads(n);
    std::vector<Array<Real>> shared;
    threads.run([&] { shared = compute(); });
    ASSERT_EQ(shared.size(), serial.size());
    for (std::size_t i = 0; i < serial.size(); ++i) {
      EXPECT_TRUE(same_bits(serial[i], shared[i])) << "result " << i << " at " << n << " threads";
    }
    for (const char* kernel : must_split) {
      const auto split = threads.splits().find(kernel);
      EXPECT_TRUE(split != threads.splits().end() && split->second > 0)
          << kernel << " stayed serial at " << n << " threads";
    }
  }
}

// Rows [begin, end) of a, bit for bit.
template <class Real>
Array<Real> rows_of(const Array<Real>& a, Index begin, Index end) {
  const Index d = a.shape().rank() == 1 ? 1 : a.shape()[1];
  Array<Real> r(a.shape().rank() == 1 ? Shape{end - begin} : Shape{end - begin, d});
  for (Index i = 0; i < (end - begin) * d; ++i) r[i] = a[begin * d + i];
  return r;
}

}  // namespace attune::testing
