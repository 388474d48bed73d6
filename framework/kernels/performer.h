#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// What is taken from the exponents of a head before exp, so that it cannot overflow; it cancels in
// attention, where a query's features may have any factor, and the keys of a sequence a common one.
//   row       their largest of each row: for queries
//   sequence  their largest of all rows of a sequence: for keys
//   none      for keys of causal attention, since a largest one would tell of later keys
enum class FeatureShift { row, sequence, none };

// Positive random features of softmax's kernel (Choromanski et al. 2021, eq. 5 and 7): of each head
// x of d columns and the directions ω_f, rows of `directions`,
//   φ_f(x) = exp(ω_f · x̂ − |x̂|²/2 − shift) / √m,   x̂ = x / d^¼
// whose product with that of another head has the mean exp(x · x' / √d) over ω ~ N(0, I).
//   x [n, n_heads · d], directions [m, d], offsets [B + 1], y [n, n_heads · m]
// Operands that don't fit are a ShapeError.
template <class Real>
void performer_features(FeatureShift shift, View<const std::int32_t> offsets, View<const Real> x,
                        View<const Real> directions, View<Real> y);
// Adds to dx and ddirections, each may be absent. With exponents a, da_f = φ_f dφ_f, less their sum
// over the shift's scope at the place of the largest; dω_f += da_f x̂, dx̂ = Σ_f da_f (ω_f − x̂).
template <class Real>
void performer_features_backward(FeatureShift shift, View<const std::int32_t> offsets,
                                 View<const Real> dy, View<const Real> x,
                                 View<const Real> directions, View<const Real> y, View<Real> dx,
                                 View<Real> ddirections);

}  // namespace attune::kernels
