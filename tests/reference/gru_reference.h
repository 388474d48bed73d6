#pragma once

#include <cmath>
#include <vector>

#include "base/shape.h"

// A gated recurrent unit, number by number: what is compared with kernels/gru.h.
namespace attune::testing {

// weight(i, j) is row i of [3h, d_in] or [3h, h], bias(i) of [3h]; gates are stacked as r, z, n.
template <class Matrix, class Vector>
struct GruReference {
  const Matrix& w_ih;
  const Matrix& w_hh;
  const Vector& b_ih;
  const Vector& b_hh;

  std::vector<double> next(const std::vector<double>& x, const std::vector<double>& state) const {
    const auto h = static_cast<Index>(state.size());
    const auto of_x = [&](Index i) {
      double sum = b_ih(i);
      for (std::size_t j = 0; j < x.size(); ++j) sum += w_ih(i, static_cast<Index>(j)) * x[j];
      return sum;
    };
    const auto of_state = [&](Index i) {
      double sum = b_hh(i);
      for (Index j = 0; j < h; ++j) sum += w_hh(i, j) * state[static_cast<std::size_t>(j)];
      return sum;
    };
    const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
    std::vector<double> after(state.size());
    for (Index i = 0; i < h; ++i) {
      const double r = sigmoid(of_x(i) + of_state(i));
      const double z = sigmoid(of_x(h + i) + of_state(h + i));
      const double n = std::tanh(of_x(2 * h + i) + r * of_state(2 * h + i));
      const auto at = static_cast<std::size_t>(i);
      after[at] = (1 - z) * n + z * state[at];
    }
    return after;
  }
};

}  // namespace attune::testing
