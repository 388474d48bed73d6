#pragma once

#include <cmath>
#include <complex>
#include <cstdint>

#include "tests/reference/random_views.h"

// Plain loops in double, written from the formulas in the kernels' headers.
namespace attune::testing {

struct Normed {
  Array<double> y, mean, rstd;
};

inline Normed layer_norm_reference(const Array<double>& x, const Array<double>& gain,
                                   const Array<double>* bias, double eps) {
  const Index n = x.shape()[0], d = x.shape()[1];
  Normed out{Array<double>({n, d}), Array<double>({n}), Array<double>({n})};
  for (Index i = 0; i < n; ++i) {
    double mean = 0, variance = 0;
    for (Index j = 0; j < d; ++j) mean += x[i * d + j];
    mean /= static_cast<double>(d);
    for (Index j = 0; j < d; ++j) variance += std::pow(x[i * d + j] - mean, 2);
    variance /= static_cast<double>(d);
    out.mean[i] = mean;
    out.rstd[i] = 1 / std::sqrt(variance + eps);
    for (Index j = 0; j < d; ++j) {
      out.y[i * d + j] = gain[j] * (x[i * d + j] - mean) * out.rstd[i] + (bias ? (*bias)[j] : 0);
    }
  }
  return out;
}

inline Array<double> rms_norm_reference(const Array<double>& x, const Array<double>& gain,
                                        const Array<double>* bias, double eps) {
  const Index n = x.shape()[0], d = x.shape()[1];
  Array<double> y({n, d});
  for (Index i = 0; i < n; ++i) {
    double squares = 0;
    for (Index j = 0; j < d; ++j) squares += x[i * d + j] * x[i * d + j];
    const double rms = std::sqrt(squares / static_cast<double>(d) + eps);
    for (Index j = 0; j < d; ++j) {
      y[i * d + j] = gain[j] * x[i * d + j] / rms + (bias ? (*bias)[j] : 0);
    }
  }
  return y;
}

// lengths may be null.
inline Array<double> softmax_reference(const Array<double>& x, const Array<std::int32_t>* lengths,
                                       double temperature) {
  const Index n = x.shape()[0], c = x.shape()[1];
  Array<double> y({n, c});
  for (Index i = 0; i < n; ++i) {
    const Index length = lengths ? (*lengths)[i] : c;
    double total = 0;
    for (Index j = 0; j < length; ++j) total += std::exp(x[i * c + j] / temperature);
    for (Index j = 0; j < length; ++j) y[i * c + j] = std::exp(x[i * c + j] / temperature) / total;
  }
  return y;
}

// weights may be null.
inline double cross_entropy_reference(const Array<double>& logits,
                                      const Array<std::int32_t>& targets,
                                      const Array<double>* weights, double smoothing,
                                      std::int32_t ignore_index) {
  const Index n = logits.shape()[0], c = logits.shape()[1];
  const Array<double> p = softmax_reference(logits, nullptr, 1);
  double loss = 0, total = 0;
  for (Index i = 0; i < n; ++i) {
    if (targets[i] == ignore_index) continue;
    const double weight = weights ? (*weights)[i] : 1;
    total += weight;
    for (Index j = 0; j < c; ++j) {
      const double q = (1 - smoothing) * (j == targets[i]) + smoothing / static_cast<double>(c);
      loss -= weight * q * std::log(p[i * c + j]);
    }
  }
  return total == 0 ? 0 : loss / total;
}

// Heads of x [n, n_heads · d] turned by complex numbers e^(iφ); positions [n] or [n, 2].
inline Array<double> rope_reference(Index n_heads, double base, const Array<double>& x,
                                    const Array<std::int32_t>& positions) {
  const Index n = x.shape()[0], d = x.shape()[1] / n_heads;
  const Index n_axes = positions.shape().rank(), part = d / n_axes;
  Array<double> y(x.shape());
  for (Index row = 0; row < n; ++row) {
    for (Index h = 0; h < n_heads; ++h) {
      for (Index axis = 0; axis < n_axes; ++axis) {
        for (Index i = 0; i < part / 2; ++i) {
          const double angle =
              positions[row * n_axes + axis] *
              std::pow(base, -2 * static_cast<double>(i) / static_cast<double>(part));
          const Index a = (row * n_heads + h) * d + axis * part + i, b = a + part / 2;
          const auto turned = std::complex<double>(x[a], x[b]) * std::polar(1.0, angle);
          y[a] = turned.real();
          y[b] = turned.imag();
        }
      }
    }
  }
  return y;
}

// What index i of `size` reads in a table of r rows: row a with weight 1 − t, row b with weight t.
struct TablePlace {
  Index a, b;
  double t;
};
inline TablePlace table_place(Index i, Index size, Index r) {
  if (size <= r) return {i, i, 0};
  const double at =
      static_cast<double>(i) * static_cast<double>(r - 1) / static_cast<double>(size - 1);
  const auto a = static_cast<Index>(std::floor(at + 1e-12));
  return {a, std::min(a + 1, r - 1), std::max(0.0, at - static_cast<double>(a))};
}
inline double table_value(const Array<double>& table, Index i, Index size, Index column) {
  const auto [a, b, t] = table_place(i, size, table.shape()[0]);
  const Index d = table.shape()[1];
  return (1 - t) * table[a * d + column] + t * table[b * d + column];
}

}  // namespace attune::testing
