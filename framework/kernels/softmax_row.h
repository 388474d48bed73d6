#pragma once

#include <limits>

#include "kernels/lanes.h"
#include "kernels/math.h"

// One row of softmax and of its backward, shared by softmax_rows and attention pooling.
namespace attune::kernels {

// Gives log Σ_j exp(x_j · inverse_temperature). y may be x.
template <class Real>
inline Real softmax_row(const Real* x, Index length, Real inverse_temperature, Real* y) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  Vec<Real> top = -infinity;
  for_lanes<Real>(length, [&](Index j, auto lanes) {
    top = max(top, lanes.keep(lanes.load(x + j), -infinity));
  });
  // A row of −inf alone sums to 0 and gets 0; with a NaN the maximum is anything, the sum is NaN.
  const Real highest = largest(top);
  const Vec<Real> shift = highest == -infinity ? Real(0) : highest;
  Vec<Real> total = Real(0);
  for_lanes<Real>(length, [&](Index j, auto lanes) {
    const Vec<Real> e = exp((lanes.load(x + j) - shift) * Vec<Real>(inverse_temperature));
    lanes.store(y + j, e);
    total += lanes.keep(e, 0);
  });
  const Real denominator = sum(total);
  const Vec<Real> inverse = denominator == 0 ? Real(0) : Real(1) / denominator;
  for_lanes<Real>(length,
                  [&](Index j, auto lanes) { lanes.store(y + j, lanes.load(y + j) * inverse); });
  return (highest == -infinity ? highest : highest * inverse_temperature) +
         log(Vec<Real>(denominator))[0];
}

// dx += inverse_temperature · y ∘ (dy − Σ dy ∘ y).
// The mean under y is taken twice, the second time of what the first leaves: where one y is nearly
// 1, dy less the mean is small against either, and their roundings would be all of it.
template <class Real>
inline void softmax_row_backward(const Real* dy, const Real* y, Index length,
                                 Real inverse_temperature, Real* dx) {
  const auto mean_less = [&](Vec<Real> mean) {
    Vec<Real> products = Real(0);
    for_lanes<Real>(length, [&](Index j, auto lanes) {
      products = fma(lanes.load(dy + j) - mean, lanes.load(y + j), products);
    });
    return Vec<Real>(sum(products));
  };
  const Vec<Real> mean = mean_less(Real(0)), rest = mean_less(mean);
  for_lanes<Real>(length, [&](Index j, auto lanes) {
    lanes.store(dx + j, fma(lanes.load(y + j) * Vec<Real>(inverse_temperature),
                            lanes.load(dy + j) - mean - rest, lanes.load(dx + j)));
  });
}

}  // namespace attune::kernels
