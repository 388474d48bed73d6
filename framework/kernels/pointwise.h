#pragma once

#include "tensor/view.h"

// Maps of single elements; all operands have one shape (else a ShapeError). An element's bits
// depend on that element alone.
namespace attune::kernels {

template <class Real>
void fill(Real value, View<Real> y);

// y = a + b.
template <class Real>
void add(View<const Real> a, View<const Real> b, View<Real> y);

// y += x; the backward of a sum, for each operand.
template <class Real>
void accumulate(View<const Real> x, View<Real> y, bool fresh = false);

// y = factor · x; x and y may be the same.
template <class Real>
void scale(Real factor, View<const Real> x, View<Real> y);

// dx += factor · dy.
template <class Real>
void scale_backward(Real factor, View<const Real> dy, View<Real> dx);

// dx += slope ∘ dy, fresh: dx = slope ∘ dy: the backward of every map that left its derivative
// behind.
template <class Real>
void chain(View<const Real> slope, View<const Real> dy, View<Real> dx, bool fresh = false);

// y = max(x, 0); NaN passes.
template <class Real>
void relu(View<const Real> x, View<Real> y);

// dx += dy where y > 0.
template <class Real>
void relu_backward(View<const Real> dy, View<const Real> y, View<Real> dx);

// y = x · σ(x) (Elfwing et al. 2018). slope, if not absent, gets y' for chain(); it may be x.
template <class Real>
void silu(View<const Real> x, View<Real> y, View<Real> slope);

enum class GeluForm { erf, tanh };

// y = x · Φ(x) (Hendrycks and Gimpel 2016), or with Φ(x) replaced by
// ½ (1 + tanh(√(2/π) (x + 0.044715 x³))). slope, if not absent, gets y' for chain(); it may be x.
template <class Real>
void gelu(GeluForm form, View<const Real> x, View<Real> y, View<Real> slope);

// y = tanh x, and what a known y says of the derivative: dx += (1 − y²) dy.
template <class Real>
void tanh(View<const Real> x, View<Real> y);
template <class Real>
void tanh_backward(View<const Real> dy, View<const Real> y, View<Real> dx);

// y = elu(x) + 1 = x + 1 above 0, else eˣ (Katharopoulos et al. 2020). slope as above.
template <class Real>
void elu_plus_one(View<const Real> x, View<Real> y, View<Real> slope);

// y = elu(x) = x above 0, else eˣ − 1 (Clevert et al. 2016). slope as above.
template <class Real>
void elu(View<const Real> x, View<Real> y, View<Real> slope);

}  // namespace attune::kernels
