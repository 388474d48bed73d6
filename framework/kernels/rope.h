#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// Rotary positions (Su et al. 2021, eq. 34). In every head of width d, the pair (x_i, x_{i+d/2}) is
// turned by the angle position · base^(−2i/d), i < d/2:
//   y_i = x_i cos − x_{i+d/2} sin,   y_{i+d/2} = x_{i+d/2} cos + x_i sin,
// so that q · k depends on positions by their difference alone. In two dimensions the first half of
// each head turns by the row and the second by the column, each as a head of width d/2.
//   x, y [n, n_heads · d]; positions [n], or [n, 2] of row and column, of any sign
// d must be even, and a multiple of 4 in two dimensions; base ≥ 1. Operands that don't fit are a
// ShapeError. Angles and their sines are computed in double: a float's angle at position 4096 would
// be off by 2e-4.
template <class Real>
void rope(Index n_heads, double base, View<const Real> x, View<const std::int32_t> positions,
          View<Real> y);

// dx += dy turned back.
template <class Real>
void rope_backward(Index n_heads, double base, View<const Real> dy,
                   View<const std::int32_t> positions, View<Real> dx);

}  // namespace attune::kernels
